package app_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// TestFollowsOfAProlificUserDelayNoOne has a user follow and unfollow, again and again,
// another who has posted thousands of chirps. Others see their chirps in time, the
// timelines stay small, and a feed still has every chirp.
func TestFollowsOfAProlificUserDelayNoOne(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		const posted, attempts, victims = 1500, 40, 5
		s := start(t, p, func(c *app.Config) { c.Guard.RateLimit = 20 })
		users := apitest.RegisterAll(t, s.URL, "star", "mallory", "ann", "bob")
		star, mallory, ann, bob := users[0], users[1].At(s.URL), users[2], users[3].At(s.URL)
		writeChirps(t, p, domain.UserID(star.ID), posted)
		bob.ReadAfter = apitest.Must(bob.Follow(t.Context(), ann.ID, ""))(t).Position

		began := time.Now()
		attack := make(chan int)
		go func() { attack <- alternate(t, mallory, star.ID, attempts) }()
		for i := range victims {
			text := fmt.Sprint("victim ", i)
			bob.ReadAfter = apitest.Must(ann.At(s.URL).Post(t.Context(), text, ""))(t).Position
			if page, err := bob.Page(t.Context(), 1, ""); err != nil || page.Edges[0].Node.Content != text {
				t.Errorf("a page after the post %q: got %+v, %v", text, page, err)
			}
		}
		done := <-attack
		if most := 11 + int(time.Since(began).Seconds()/6); done < 10 || done > most {
			t.Errorf("of %d follows and unfollows %d were done, want 10 to %d", attempts, done, most)
		}

		bob.ReadAfter = apitest.Must(bob.Follow(t.Context(), star.ID, ""))(t).Position
		feed, err := bob.Feed(t.Context(), 100)
		if err != nil || len(feed) != posted+victims {
			t.Errorf("the feed has %d chirps, error %v, want %d", len(feed), err, posted+victims)
		}
		for i, e := range feed[min(victims, len(feed)):] {
			if want := fmt.Sprint("chirp ", posted-1-i); e.Node.Content != want {
				t.Fatalf("chirp %d of the feed is %q, want %q", i, e.Node.Content, want)
			}
		}
		// Two users follow the star at most.
		if n, most := entries(t, p), int64(2*63+victims); n > most {
			t.Errorf("there are %d timeline entries, want at most %d", n, most)
		}
	})
}

// alternate follows and unfollows a user as often as it may, and returns how often it
// did either.
func alternate(t *testing.T, as apitest.API, user string, attempts int) int {
	done := 0
	for range attempts {
		change := as.Follow
		if done%2 == 1 {
			change = as.Unfollow
		}
		switch _, err := change(t.Context(), user, ""); {
		case err == nil:
			done++
		case apitest.Code(err) != "RATE_LIMITED":
			t.Errorf("change %d: %v", done, err)
		}
	}
	return done
}

// writeChirps appends chirps of a user to the log, beside its server.
func writeChirps(t *testing.T, p apitest.Place, author domain.UserID, n int) {
	t.Helper()
	events := make([]domain.Event, n)
	for i := range events {
		events[i] = domain.ChirpPosted{
			ChirpID: domain.ChirpIDFrom(uuid.Must(uuid.NewV7())), AuthorID: author, Content: domain.Content(fmt.Sprint("chirp ", i)),
		}
	}
	writeEvents(t, p, events)
}

// writeEvents appends events, each of which begins a stream, to the log, beside its
// server.
func writeEvents(t *testing.T, p apitest.Place, events []domain.Event) {
	t.Helper()
	log := p.OpenToWrite(t, false).Log()
	for batch := range slices.Chunk(events, 500) {
		a := eventstore.Append{Expected: eventstore.Versions{}, RecordedAt: time.Now(), Command: eventstore.Command{
			CommandKey: eventstore.CommandKey{Actor: "test", ID: uuid.NewString()}, Fingerprint: "test",
		}}
		for _, fact := range batch {
			e := apitest.Must(eventstore.Encode(fact))(t)
			a.Events, a.Expected[e.Stream] = append(a.Events, e), 0
		}
		if _, err := log.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
}

// entries returns how many entries all timelines have.
func entries(t *testing.T, p apitest.Place) int64 {
	t.Helper()
	store, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := store.Views().Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	totals, err := s.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return totals.Entries
}
