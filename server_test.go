package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/cli"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// TestStory starts the server as main does, on a new store of either kind, and does
// what its users and operators do, each part with users of its own.
func TestStory(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Serve(t, func(ctx context.Context, log io.Writer) error {
			args := append(p.Args, "--addr", "127.0.0.1:0", "--rate-limit", "0")
			if code := run(ctx, args, cli.Streams{Out: io.Discard, Err: log}); code != 0 {
				return fmt.Errorf("exit code %d", code)
			}
			return nil
		})
		apitest.Ready(t, s.URL)
		t.Run("an operator looks at the probes", func(t *testing.T) { probes(t, s.URL, s.Ops) })
		t.Run("a feed is read page by page", func(t *testing.T) { feedOverHTTP(t, s.URL) })
		t.Run("users read their own writes", func(t *testing.T) { readAfter(t, s.URL) })
		t.Run("a feed is watched over a socket", func(t *testing.T) { feedOverSocket(t, s.URL) })
		t.Run("a feed is watched over server-sent events", func(t *testing.T) { feedOverEvents(t, s.URL) })
		t.Run("a profile is watched", func(t *testing.T) { profileOverSocket(t, s.URL) })
	})
}

func probes(t *testing.T, url, ops string) {
	apitest.RegisterAll(t, url, "Ann")
	apitest.Eventually(t, "the metrics show the registration", func() bool {
		_, body, err := apitest.Probe(t.Context(), ops+"/metrics")
		return err == nil && strings.Contains(body, "\nchirp_views_position 2\n")
	})
	for url, want := range map[string]string{
		url + "/healthz": "alive", url + "/readyz": "ready", url + "/": "<!doctype html>", ops + "/healthz": "alive", ops + "/readyz": "ready",
		ops + "/metrics": `chirp_projector_phase{phase="active"} 1`, ops + "/debug/pprof/heap?debug=1": "heap profile",
	} {
		status, body, err := apitest.Probe(t.Context(), url)
		if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: got status %d, error %v, body %.300q; want 200 and %q", url, status, err, body, want)
		}
	}
	for _, url := range []string{url + "/nothing.txt", url + "/metrics", url + "/debug/pprof/heap", ops + "/graphql", ops + "/debug/pprof/cmdline"} {
		if status, _, err := apitest.Probe(t.Context(), url); err != nil || status != http.StatusNotFound {
			t.Errorf("GET %s: got status %d, error %v; want 404", url, status, err)
		}
	}
}

func feedOverHTTP(t *testing.T, url string) {
	users := apitest.RegisterAll(t, url, "Ann1", "Bob1", "Cid1")
	ann, bob, cid := users[0].At(url), users[1].At(url), users[2].At(url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	var last apitest.Receipt
	var want []string
	for i := range 7 {
		text := fmt.Sprintf("chirp %d\nof Bob 👩‍🚀", i)
		last = apitest.Must(bob.Post(t.Context(), text, ""))(t)
		apitest.Must(cid.Post(t.Context(), "nobody follows Cid", ""))(t)
		want = slices.Insert(want, 0, text)
	}

	ann.ReadAfter = last.Position
	feed := apitest.Must(ann.Feed(t.Context(), 3))(t)
	if got := apitest.Contents(feed); !slices.Equal(got, want) {
		t.Errorf("feed in pages of 3: got %q, want %q", got, want)
	}
	for _, e := range feed {
		if e.Node.Author.Username != "Bob1" || e.Node.Author.ID != users[1].ID {
			t.Errorf("author of %q: got %v, want Bob", e.Node.Content, e.Node.Author)
		}
	}

	stopped := apitest.Must(ann.Unfollow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = stopped.Position
	if feed := apitest.Must(ann.Feed(t.Context(), 100))(t); len(feed) != 0 {
		t.Errorf("feed after the unfollow: got %q, want nothing", apitest.Contents(feed))
	}
}

func readAfter(t *testing.T, url string) {
	users := apitest.RegisterAll(t, url, "Ann2", "Bob2")
	ann, bob := users[0].At(url), users[1].At(url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	for i := range 20 {
		text := fmt.Sprint("chirp ", i)
		ann.ReadAfter = apitest.Must(bob.Post(t.Context(), text, ""))(t).Position
		p, err := ann.Page(t.Context(), 1, "")
		if err != nil || len(p.Edges) != 1 || p.Edges[0].Node.Content != text {
			t.Fatalf("feed after position %s: got %q, error %v; want %q first", ann.ReadAfter, apitest.Contents(p.Edges), err, text)
		}
	}
	ann.ReadAfter = "1000000"
	if _, err := ann.Page(t.Context(), 1, ""); apitest.Code(err) != "NOT_YET_VISIBLE" {
		t.Errorf("feed after a position that is not in the log: got %v, want NOT_YET_VISIBLE", err)
	}
}

func feedOverSocket(t *testing.T, url string) {
	users := apitest.RegisterAll(t, url, "Ann3", "Bob3")
	ann, bob := users[0].At(url), users[1].At(url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "before", ""))(t).Position
	before := apitest.Must(ann.Page(t.Context(), 1, ""))(t)

	first := apitest.Must(ann.Connect(t.Context()))(t)
	defer first.Close()
	if err := first.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": before.Edges[0].Cursor}); err != nil {
		t.Fatal(err)
	}
	apitest.PostAll(t, bob, "one", "two", "three")
	got := apitest.Take(t, first, 3)
	if want := []string{"one", "two", "three"}; !slices.Equal(apitest.Contents(got), want) {
		t.Fatalf("live feed: got %q, want %q", apitest.Contents(got), want)
	}
	if feed := apitest.Must(ann.Feed(t.Context(), 100))(t); feed[0].Cursor != got[2].Cursor || feed[0].Node != got[2].Node {
		t.Errorf("the newest edge of the feed: got %v, want that of the subscription, %v", feed[0], got[2])
	}

	first.Close()
	apitest.PostAll(t, bob, "four", "five")
	second := apitest.Must(ann.Connect(t.Context()))(t)
	defer second.Close()
	if err := second.Subscribe("again", apitest.FeedAddedDocument, apitest.Vars{"after": got[1].Cursor}); err != nil {
		t.Fatal(err)
	}
	apitest.PostAll(t, bob, "six")
	if got, want := apitest.Contents(apitest.TakeAs(t, second, "again", 4)), []string{"three", "four", "five", "six"}; !slices.Equal(got, want) {
		t.Errorf("feed resumed after the second chirp: got %q, want %q", got, want)
	}
}

func feedOverEvents(t *testing.T, url string) {
	users := apitest.RegisterAll(t, url, "Ann4", "Bob4")
	ann, bob := users[0].At(url), users[1].At(url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "before", ""))(t).Position
	before := apitest.Must(ann.Page(t.Context(), 1, ""))(t)

	body, err := json.Marshal(apitest.Vars{"query": apitest.FeedAddedDocument, "variables": apitest.Vars{"after": before.Edges[0].Cursor}})
	if err != nil {
		t.Fatal(err)
	}
	resp := apitest.Must(ann.Request(t.Context(), body, "text/event-stream"))(t)
	defer resp.Body.Close()
	apitest.PostAll(t, bob, "one", "two")
	var got []string
	for lines := bufio.NewScanner(resp.Body); len(got) < 2 && lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var next struct{ FeedChirpAdded apitest.Edge }
		if err := apitest.ReadAnswer([]byte(data), &next); err != nil {
			t.Fatal(err)
		}
		got = append(got, next.FeedChirpAdded.Node.Content)
	}
	if want := []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}

func profileOverSocket(t *testing.T, url string) {
	users := apitest.RegisterAll(t, url, "Ann5", "Bob5")
	ann, bob := users[0].At(url), users[1].At(url)
	watch := apitest.Must(ann.Connect(t.Context()))(t)
	defer watch.Close()
	if err := watch.Subscribe("bob", apitest.ProfileDocument, apitest.Vars{"userId": users[1].ID}); err != nil {
		t.Fatal(err)
	}
	type profile struct {
		Username                  string
		FollowerCount, ChirpCount int
	}
	await := func(want profile) {
		t.Helper()
		for got := (profile{}); got != want; {
			var next struct{ ProfileUpdated profile }
			if err := watch.Next("bob", &next); err != nil {
				t.Fatalf("profile %v is followed by %v, want %v", got, err, want)
			}
			got = next.ProfileUpdated
		}
	}
	await(profile{"Bob5", 0, 0})
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	await(profile{"Bob5", 1, 0})
	apitest.PostAll(t, bob, "one", "two")
	await(profile{"Bob5", 1, 2})
	apitest.Must(ann.Unfollow(t.Context(), users[1].ID, ""))(t)
	await(profile{"Bob5", 0, 2})
}
