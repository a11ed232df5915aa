package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestFeedOverHTTP(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob", "Cid")
		ann, bob, cid := users[0].at(s.url), users[1].at(s.url), users[2].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		var last done
		var want []string
		for i := range 7 {
			text := fmt.Sprintf("chirp %d\nof Bob 👩‍🚀", i)
			last = must(bob.post(t.Context(), text, ""))(t)
			must(cid.post(t.Context(), "nobody follows Cid", ""))(t)
			want = slices.Insert(want, 0, text)
		}

		ann.readAfter = last.Position
		feed := must(ann.feed(t.Context(), 3))(t)
		if got := contents(feed); !slices.Equal(got, want) {
			t.Errorf("feed in pages of 3: got %q, want %q", got, want)
		}
		for _, e := range feed {
			if e.Node.Author.Username != "Bob" || e.Node.Author.ID != users[1].ID {
				t.Errorf("author of %q: got %v, want Bob", e.Node.Content, e.Node.Author)
			}
		}

		stopped := must(ann.unfollow(t.Context(), users[1].ID, ""))(t)
		ann.readAfter = stopped.Position
		if feed := must(ann.feed(t.Context(), 100))(t); len(feed) != 0 {
			t.Errorf("feed after the unfollow: got %q, want nothing", contents(feed))
		}
	})
}

func TestReadAfterShowsEachMutation(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		for i := range 20 {
			text := fmt.Sprint("chirp ", i)
			ann.readAfter = must(bob.post(t.Context(), text, ""))(t).Position
			p, err := ann.page(t.Context(), 1, "")
			if err != nil || len(p.Edges) != 1 || p.Edges[0].Node.Content != text {
				t.Fatalf("feed after position %s: got %q, error %v; want %q first", ann.readAfter, contents(p.Edges), err, text)
			}
		}
		ann.readAfter = "1000000"
		if _, err := ann.page(t.Context(), 1, ""); code(err) != "NOT_YET_VISIBLE" {
			t.Errorf("feed after a position that is not in the log: got %v, want NOT_YET_VISIBLE", err)
		}
	})
}

func TestFeedLiveAndResumed(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		ann.readAfter = must(bob.post(t.Context(), "before", ""))(t).Position
		before := must(ann.page(t.Context(), 1, ""))(t)

		first := must(ann.connect(t.Context()))(t)
		defer first.close()
		if err := first.subscribe("feed", feedAddedDocument, vars{"after": before.Edges[0].Cursor}); err != nil {
			t.Fatal(err)
		}
		postAll(t, bob, "one", "two", "three")
		got := take(t, first, 3)
		if want := []string{"one", "two", "three"}; !slices.Equal(contents(got), want) {
			t.Fatalf("live feed: got %q, want %q", contents(got), want)
		}
		if feed := must(ann.feed(t.Context(), 100))(t); feed[0].Cursor != got[2].Cursor || feed[0].Node != got[2].Node {
			t.Errorf("the newest edge of the feed: got %v, want that of the subscription, %v", feed[0], got[2])
		}

		first.close()
		postAll(t, bob, "four", "five")
		second := must(ann.connect(t.Context()))(t)
		defer second.close()
		if err := second.subscribe("again", feedAddedDocument, vars{"after": got[1].Cursor}); err != nil {
			t.Fatal(err)
		}
		postAll(t, bob, "six")
		if got, want := contents(takeAs(t, second, "again", 4)), []string{"three", "four", "five", "six"}; !slices.Equal(got, want) {
			t.Errorf("feed resumed after the second chirp: got %q, want %q", got, want)
		}
	})
}

// postAll posts texts one after the other.
func postAll(t testing.TB, as api, texts ...string) {
	t.Helper()
	for _, text := range texts {
		must(as.post(t.Context(), text, ""))(t)
	}
}

// take gives the next chirps of the subscription "feed".
func take(t testing.TB, s *socket, n int) []edge { t.Helper(); return takeAs(t, s, "feed", n) }

func takeAs(t testing.TB, s *socket, id string, n int) []edge {
	t.Helper()
	edges := make([]edge, n)
	for i := range edges {
		edges[i] = must(s.nextEdge(id))(t)
	}
	return edges
}

func TestFeedLiveOverServerSentEvents(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		ann.readAfter = must(bob.post(t.Context(), "before", ""))(t).Position
		before := must(ann.page(t.Context(), 1, ""))(t)

		body, err := json.Marshal(vars{"query": feedAddedDocument, "variables": vars{"after": before.Edges[0].Cursor}})
		if err != nil {
			t.Fatal(err)
		}
		resp := must(ann.request(t.Context(), body, "text/event-stream"))(t)
		defer resp.Body.Close()
		postAll(t, bob, "one", "two")
		var got []string
		for lines := bufio.NewScanner(resp.Body); len(got) < 2 && lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var next struct{ FeedChirpAdded edge }
			if err := readAnswer([]byte(data), &next); err != nil {
				t.Fatal(err)
			}
			got = append(got, next.FeedChirpAdded.Node.Content)
		}
		if want := []string{"one", "two"}; !slices.Equal(got, want) {
			t.Errorf("events: got %q, want %q", got, want)
		}
	})
}

func TestProfileLive(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		watch := must(ann.connect(t.Context()))(t)
		defer watch.close()
		if err := watch.subscribe("bob", profileDocument, vars{"userId": users[1].ID}); err != nil {
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
				if err := watch.next("bob", &next); err != nil {
					t.Fatalf("profile %v is followed by %v, want %v", got, err, want)
				}
				got = next.ProfileUpdated
			}
		}
		await(profile{"Bob", 0, 0})
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		await(profile{"Bob", 1, 0})
		postAll(t, bob, "one", "two")
		await(profile{"Bob", 1, 2})
		must(ann.unfollow(t.Context(), users[1].ID, ""))(t)
		await(profile{"Bob", 0, 2})
	})
}

func TestProbes(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		registerAll(t, s.url, "Ann")
		eventually(t, "the metrics show the registration", func() bool {
			_, body, err := probe(t.Context(), s.url+"/metrics")
			return err == nil && strings.Contains(body, "\nchirp_views_position 2\n")
		})
		for path, want := range map[string]string{
			"/healthz": "alive", "/readyz": "ready", "/": "<!doctype html>",
			"/metrics": `chirp_projector_phase{phase="active"} 1`,
		} {
			status, body, err := probe(t.Context(), s.url+path)
			if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("GET %s: got status %d, error %v, body %.300q; want 200 and %q", path, status, err, body, want)
			}
		}
		if status, _, err := probe(t.Context(), s.url+"/nothing.txt"); err != nil || status != http.StatusNotFound {
			t.Errorf("GET /nothing.txt: got status %d, error %v; want 404", status, err)
		}
	})
}

// closedWith gives the close code and reason that a socket's end has.
func closedWith(s *socket) (int, string) {
	for {
		_, err := s.read()
		var end *websocket.CloseError
		if errors.As(err, &end) {
			return end.Code, end.Text
		}
		if err != nil {
			return 0, err.Error()
		}
	}
}
