package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/demo"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
)

const exploreDocument = `{
	recentChirps(first: 100) { edges { node { content author { username } } } }
	recentUsers(first: 100) { edges { node { username followerCount isCelebrity } } } }`

type explored struct {
	RecentChirps struct {
		Edges []struct {
			Node struct {
				Content string
				Author  struct{ Username string }
			}
		}
	}
	RecentUsers struct {
		Edges []struct {
			Node struct {
				Username      string
				FollowerCount int
				IsCelebrity   bool
			}
		}
	}
}

func TestDemoFillsAnEmptyStore(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		began := time.Now()
		s := apitest.Start(t, p, "--demo", "--celebrity-threshold", "20")
		var head string
		events := p.Events(t)
		head = events[len(events)-1].Position.String()
		seen := apitest.API{URL: s.URL, ReadAfter: head}
		var got explored
		if err := seen.Do(t.Context(), exploreDocument, nil, &got); err != nil {
			t.Fatal(err)
		}
		if users, chirps := len(got.RecentUsers.Edges), len(got.RecentChirps.Edges); users != 25 || chirps != 100 {
			t.Errorf("got %d users and %d chirps on a page of 100, want 25 and 100", users, chirps)
		}
		if first := got.RecentUsers.Edges[24].Node; first.FollowerCount != 24 || !first.IsCelebrity {
			t.Errorf("the first user is %+v, want a celebrity whom all others follow", first)
		}
		if !strings.Contains(s.Log.String(), "password="+demo.Password) {
			t.Errorf("the log does not show the password:\n%s", s.Log.String())
		}
		var in struct{ LogIn struct{ Token string } }
		err := seen.Do(t.Context(), `mutation($name: String!, $password: String!) { logIn(input: {username: $name, password: $password}) { token } }`,
			apitest.Vars{"name": demo.Username, "password": demo.Password}, &in)
		if err != nil {
			t.Fatalf("log in: %v", err)
		}
		seen.Token = in.LogIn.Token
		if feed, err := seen.Page(t.Context(), 20, ""); err != nil || len(feed.Edges) != 20 {
			t.Errorf("the feed of %s has %d chirps, error %v; want 20 on the first page", demo.Username, len(feed.Edges), err)
		}
		checkPast(t, events, began)
	})
}

// checkPast checks that the demo's events are in order, and that their times span
// the past days.
func checkPast(t *testing.T, events []eventstore.Event, now time.Time) {
	t.Helper()
	ordered := slices.IsSortedFunc(events, func(a, b eventstore.Event) int { return a.RecordedAt.Compare(b.RecordedAt) })
	oldest := now.Sub(events[0].RecordedAt)
	recent := slices.IndexFunc(events, func(e eventstore.Event) bool { return now.Sub(e.RecordedAt) < 12*time.Hour })
	if !ordered || oldest < 10*24*time.Hour || recent < 0 {
		t.Errorf("the events are in order: %v, begin %s ago, and the first of the last half day is %d", ordered, oldest, recent)
	}
}

func TestDemoIsRefusedOnAStoreThatIsNotEmpty(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		apitest.RegisterAll(t, s.URL, "Ann")
		s.Terminate(t)
		before := len(p.Events(t))
		refused := launchRefused(t, p, "--demo")
		for _, says := range []string{"one that it has filled, but this one has 2 other events", "leave --demo out", "choose an empty one with another --data or --mongodb-database"} {
			if !strings.Contains(refused, says) {
				t.Errorf("got %q, want %q in it", refused, says)
			}
		}
		if after := len(p.Events(t)); after != before {
			t.Errorf("there are %d events after the refusal, want %d", after, before)
		}
		apitest.Start(t, p)                                                                                                                                  // the one advice
		apitest.Start(t, apitest.Place{Args: slices.Concat(p.Args, []string{"--data", t.TempDir(), "--mongodb-database", mongotest.Database(t)})}, "--demo") // and the other
	})
}

func TestDemoContinuesInItsStore(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, "--demo")
		filled := len(p.Events(t))
		s.Terminate(t)
		s = apitest.Start(t, p, "--demo")
		if !strings.Contains(s.Log.String(), "password="+demo.Password) {
			t.Errorf("the log does not show the password again:\n%s", s.Log.String())
		}
		c := apitest.API{URL: s.URL}
		var in struct{ LogIn struct{ Token string } }
		if err := c.Do(t.Context(), `mutation { logIn(input: {username: "maren_k", password: "chirp-demo"}) { token } }`, nil, &in); err != nil {
			t.Errorf("log in: %v", err)
		}
		log := p.EventLog(t)
		apitest.Eventually(t, "the demo keeps posting", func() bool {
			more, err := log.ReadAll(t.Context(), domain.Position(filled), 100)
			return err == nil && slices.ContainsFunc(more, func(e eventstore.Event) bool { return time.Since(e.RecordedAt) < time.Minute })
		})
		checkDemo(t, p)
	})
}

func TestKilledDemoContinues(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		for _, enough := range []domain.Position{1, 60, 300} {
			server, _ := apitest.Spawn(t, nil, slices.Concat(p.Args, []string{"--addr", "127.0.0.1:0", "--demo"})...)
			apitest.Eventually(t, "some of the demo is there", func() bool { return p.Head(t) >= enough })
			server.Kill()
		}
		apitest.Start(t, p, "--demo")
		checkDemo(t, p)
	})
}

// checkDemo checks that all of the demo's history is there, once.
func checkDemo(t *testing.T, p apitest.Place) {
	t.Helper()
	types, commands := map[string]int{}, map[string]bool{}
	for _, e := range p.Events(t) {
		if strings.HasPrefix(e.CommandID, "demo/") {
			types[e.Type]++
			commands[e.Actor+" "+e.CommandID] = true
		}
	}
	if types["user.registered.v1"] != 25 || len(commands) != 395 || types["chirp.posted.v1"]+types["user.followed.v1"]+25 != 395 {
		t.Errorf("got %v by %d commands, want 25 people and 395 commands", types, len(commands))
	}
}

// launchRefused starts a server that must end at once, and returns its log.
func launchRefused(t *testing.T, p apitest.Place, more ...string) string {
	t.Helper()
	server, _ := apitest.Spawn(t, nil, slices.Concat(p.Args, []string{"--addr", "127.0.0.1:0"}, more)...)
	defer server.Kill()
	if code := server.Exit(t); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	return server.Log.String()
}
