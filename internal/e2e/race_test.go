package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestRaces has two callers act at once: on two servers that share a MongoDB, and
// on the one server of an embedded store.
func TestRaces(t *testing.T) {
	t.Run("two servers on mongodb", func(t *testing.T) {
		t.Parallel()
		p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
		races(t, p, apitest.Launch(t, p).URL, apitest.Launch(t, p).URL)
	})
	t.Run("one embedded server", func(t *testing.T) {
		t.Parallel()
		p := apitest.Embedded(t.TempDir())
		url := apitest.Launch(t, p).URL
		races(t, p, url, url)
	})
}

func races(t *testing.T, p apitest.Place, one, other string) {
	apitest.Ready(t, one)
	apitest.Ready(t, other)
	log := p.EventLog(t)
	tail := startTail(t, log)
	users := apitest.RegisterAll(t, one, "Ann", "Bob", "Cid")
	for _, c := range []struct {
		name string
		race func(t *testing.T, log eventstore.Log, users []apitest.User, one, other string)
	}{
		{"of registrations of one name", raceRegistrations},
		{"of follows have one winner", raceFollows},
		{"of follows and unfollows alternate", raceFollowsAndUnfollows},
		{"of two people under one command id", raceCommandID},
		{"of a command with itself", raceRepeat},
		{"of posts all end up in the feed and are pushed", racePosts},
	} {
		t.Run(c.name, func(t *testing.T) { c.race(t, log, users, one, other) })
	}
	tail.check(t, log)
}

// atOnce calls two functions at the same time and returns both answers.
func atOnce[T any](f, g func() (T, error)) (values [2]T, codes []string) {
	begin := make(chan struct{})
	var errs [2]error
	var both sync.WaitGroup
	for i, call := range []func() (T, error){f, g} {
		both.Go(func() { <-begin; values[i], errs[i] = call() })
	}
	close(begin)
	both.Wait()
	return values, []string{apitest.Code(errs[0]), apitest.Code(errs[1])}
}

// added returns the events of a log after a position.
func added(t testing.TB, log eventstore.Log, since domain.Position) []eventstore.Event {
	t.Helper()
	return apitest.Must(log.ReadAll(t.Context(), since, 1000))(t)
}

func head(t testing.TB, log eventstore.Log) domain.Position {
	t.Helper()
	return apitest.Must(log.Head(t.Context()))(t).Position
}

func raceRegistrations(t *testing.T, log eventstore.Log, _ []apitest.User, one, other string) {
	for i := range 6 {
		before := head(t, log)
		name := fmt.Sprint("Racer", i)
		got, codes := atOnce(
			func() (apitest.User, error) { return apitest.API{URL: one}.Register(t.Context(), name) },
			func() (apitest.User, error) {
				return apitest.API{URL: other}.Register(t.Context(), strings.ToUpper(name))
			})
		winner := oneWinner(t, codes, "USERNAME_TAKEN")
		events := added(t, log, before)
		if len(events) != 2 || !strings.Contains(string(events[0].Data), got[winner].ID) {
			t.Errorf("registration of %s: got %d events, %v; want the two of the winner", name, len(events), events)
		}
		if err := got[winner].At(other).Do(t.Context(), `{ viewer { id } }`, nil, nil); apitest.Code(err) != "OK" && apitest.Code(err) != "NOT_YET_VISIBLE" {
			t.Errorf("the winner's token at the other server: %v", err)
		}
	}
}

// oneWinner checks that one of two answers is OK, and that the other has a code.
// It returns the index of the winner.
func oneWinner(t testing.TB, codes []string, loser string) int {
	t.Helper()
	winner := slices.Index(codes, "OK")
	if winner < 0 || codes[1-winner] != loser {
		t.Fatalf("got answers %q, want OK and %s", codes, loser)
	}
	return winner
}

func raceFollows(t *testing.T, log eventstore.Log, users []apitest.User, one, other string) {
	for range 10 {
		before := head(t, log)
		_, codes := atOnce(
			func() (apitest.Receipt, error) { return users[0].At(one).Follow(t.Context(), users[1].ID, "") },
			func() (apitest.Receipt, error) { return users[0].At(other).Follow(t.Context(), users[1].ID, "") })
		oneWinner(t, codes, "ALREADY_FOLLOWING")
		if events := added(t, log, before); len(events) != 1 {
			t.Errorf("got %d events, want one", len(events))
		}
		apitest.Must(users[0].At(other).Unfollow(t.Context(), users[1].ID, ""))(t)
	}
}

func raceFollowsAndUnfollows(t *testing.T, log eventstore.Log, users []apitest.User, one, other string) {
	before := head(t, log)
	var mu sync.Mutex
	done := 0
	var all sync.WaitGroup
	for i := range 8 {
		as := users[1].At([]string{one, other}[i%2])
		all.Go(func() {
			for n := range 10 {
				act, refusal := as.Follow, "ALREADY_FOLLOWING"
				if (i/2+n)%2 == 1 {
					act, refusal = as.Unfollow, "NOT_FOLLOWING"
				}
				_, err := act(t.Context(), users[2].ID, "")
				mu.Lock()
				switch apitest.Code(err) {
				case "OK":
					done++
				case refusal:
				default:
					t.Errorf("got %v, want OK or %s", err, refusal)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	events := added(t, log, before)
	if len(events) != done {
		t.Errorf("got %d events, want %d, one for each that was answered with OK", len(events), done)
	}
	for i, e := range events {
		if want := []string{"user.followed.v1", "user.unfollowed.v1"}[i%2]; e.Type != want {
			t.Fatalf("event %d of the relationship is %s, want %s", i+1, e.Type, want)
		}
	}
}

func raceCommandID(t *testing.T, log eventstore.Log, users []apitest.User, one, other string) {
	for i := range 10 {
		before := head(t, log)
		id := fmt.Sprint("same-", i)
		got, codes := atOnce(
			func() (apitest.Receipt, error) { return users[0].At(one).Post(t.Context(), "mine", id) },
			func() (apitest.Receipt, error) { return users[1].At(other).Post(t.Context(), "mine", id) })
		if !slices.Equal(codes, []string{"OK", "OK"}) || got[0].ID == got[1].ID || len(added(t, log, before)) != 2 {
			t.Fatalf("got answers %q %v and %d events, want two chirps", codes, got, len(added(t, log, before)))
		}
	}
}

func raceRepeat(t *testing.T, log eventstore.Log, users []apitest.User, one, other string) {
	for i := range 10 {
		before := head(t, log)
		id := fmt.Sprint("repeated-", i)
		got, codes := atOnce(
			func() (apitest.Receipt, error) { return users[0].At(one).Post(t.Context(), "once", id) },
			func() (apitest.Receipt, error) { return users[0].At(other).Post(t.Context(), "once", id) })
		if !slices.Equal(codes, []string{"OK", "OK"}) || got[0] != got[1] || len(added(t, log, before)) != 1 {
			t.Fatalf("got answers %q %v and %d events, want one chirp, told twice", codes, got, len(added(t, log, before)))
		}
		_, err := users[0].At(other).Post(t.Context(), "another text", id)
		if apitest.Code(err) != "CONFLICT" {
			t.Errorf("another text under the same command id: got %v, want CONFLICT", err)
		}
	}
}

// racePosts posts on both servers at once, and watches the feed on both.
func racePosts(t *testing.T, _ eventstore.Log, users []apitest.User, one, other string) {
	cid := users[2].At(one)
	for _, u := range users[:2] {
		apitest.Must(cid.Follow(t.Context(), u.ID, ""))(t)
	}
	first := apitest.Must(users[0].At(one).Post(t.Context(), "the first", ""))(t)
	cid.ReadAfter = first.Position
	from := apitest.Must(cid.Page(t.Context(), 1, ""))(t).Edges[0].Cursor
	var watches []*apitest.Socket
	for _, url := range []string{one, other} {
		s := apitest.Must(users[2].At(url).Connect(t.Context()))(t)
		defer s.Close()
		if err := s.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": from}); err != nil {
			t.Fatal(err)
		}
		watches = append(watches, s)
	}
	const each = 20
	var last domain.Position
	for range each {
		got, codes := atOnce(
			func() (apitest.Receipt, error) { return users[0].At(one).Post(t.Context(), "at one", "") },
			func() (apitest.Receipt, error) { return users[1].At(other).Post(t.Context(), "at the other", "") })
		if !slices.Equal(codes, []string{"OK", "OK"}) {
			t.Fatalf("posts: got answers %q, want OK", codes)
		}
		for _, d := range got {
			last = max(last, domain.Position(apitest.Must(strconv.ParseInt(d.Position, 10, 64))(t)))
		}
	}
	cid.ReadAfter = last.String()
	want := ids(patientFeed(t, cid))[:2*each]
	slices.Reverse(want)
	for i, s := range watches {
		if got := ids(apitest.Take(t, s, 2*each)); !slices.Equal(got, want) {
			t.Errorf("server %d pushed another feed than is read; the first difference is at %d", i, firstDifference(got, want))
		}
	}
}

// tail follows a log while others write to it.
type tail struct {
	next  domain.Position
	err   error
	seen  chan domain.Position
	end   context.CancelFunc
	ended chan struct{}
}

// startTail follows a log from its beginning and checks that it skips no
// position.
func startTail(t *testing.T, log eventstore.Log) *tail {
	ctx, cancel := context.WithCancel(context.Background())
	f := &tail{next: 1, seen: make(chan domain.Position, 10_000), end: cancel, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for events, err := range log.Follow(ctx, 0) {
			for _, e := range events {
				if e.Position != f.next {
					f.err = errors.Join(f.err, fmt.Errorf("position %d is followed by %d", f.next-1, e.Position))
				}
				f.next = e.Position + 1
				f.seen <- e.Position
			}
			if err != nil && ctx.Err() == nil {
				f.err = errors.Join(f.err, err)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-f.ended })
	return f
}

// check waits until the tail has reached the end of the log.
func (f *tail) check(t *testing.T, log eventstore.Log) {
	end := head(t, log)
	apitest.Eventually(t, "the tail reaches the end of the log", func() bool {
		for {
			select {
			case p := <-f.seen:
				if p == end {
					return true
				}
			case <-f.ended:
				return true
			default:
				return false
			}
		}
	})
	f.end()
	if <-f.ended; f.err != nil || f.next != end+1 {
		t.Errorf("a tail that followed meanwhile: got the events before %d, error %v; want those before %d, each once and in order", f.next, f.err, end+1)
	}
}
