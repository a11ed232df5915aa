package subscription_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

func TestHubRetriesThroughOutages(t *testing.T) {
	outages := map[string]error{
		"Unavailable":     domain.Errorf(domain.Unavailable, "the store is down"),
		"any other error": errors.New("broken"),
	}
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				h := w.hub(t, subscription.Config{})
				w.follow(ann, bob)
				c := connect(t, h, ann, subscription.Now(), nil)
				wantItems(t, c)
				w.change(func() { w.outage = outage })
				p, q := w.post(bob), w.post(bob)
				time.Sleep(time.Minute)
				wantItems(t, c)
				w.change(func() { w.outage = nil })
				time.Sleep(time.Minute)
				wantItems(t, c, p, q)
				r := w.post(bob)
				wantItems(t, c, p, q, r)
			})
		})
	}
}

func TestHubStartsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage = domain.Errorf(domain.Unavailable, "the store is down")
		w.follow(ann, bob)
		p := w.post(bob)
		h := w.hub(t, subscription.Config{})
		c := connect(t, h, ann, subscription.After(0), nil)
		time.Sleep(time.Minute)
		wantItems(t, c)
		w.change(func() { w.outage = nil })
		time.Sleep(time.Minute)
		wantItems(t, c, p)
		q := w.post(bob)
		wantItems(t, c, p, q)
	})
}

// A subscriber that connects before the hub runs misses nothing.
func TestHubStartsAfterItsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.newHub(subscription.Config{})
		w.follow(ann, bob)
		c := connect(t, h, ann, subscription.After(0), nil)
		d := connect(t, h, ann, subscription.Now(), nil)
		synctest.Wait()
		p := w.post(bob)
		wantItems(t, c)
		go func() { _ = h.Run(t.Context()) }()
		synctest.Wait()
		q := w.post(bob)
		wantItems(t, c, p, q)
		wantItems(t, d, p, q)
		h.Close()
		synctest.Wait()
	})
}

// When the log skips a position, the hub follows it again from the last one.
func TestHubRefollowsAfterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.skips = 3
		h := w.newHub(subscription.Config{})
		w.follow(ann, bob)
		go func() { _ = h.Run(t.Context()) }()
		c := connect(t, h, ann, subscription.Now(), nil)
		synctest.Wait()
		var want []domain.Position
		for range 5 {
			want = append(want, w.record(domain.ChirpPosted{AuthorID: bob}))
		}
		w.show()
		time.Sleep(time.Minute)
		wantItems(t, c, want...)
		h.Close()
		synctest.Wait()
	})
}

func TestHubRunEnds(t *testing.T) {
	tests := map[string]struct {
		end  func(h *subscription.Hub, cancel context.CancelFunc)
		want error
	}{
		"with its context's error":      {func(_ *subscription.Hub, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"without one when it is closed": {func(h *subscription.Hub, _ context.CancelFunc) { h.Close() }, nil},
		"without one when closed twice": {func(h *subscription.Hub, _ context.CancelFunc) { h.Close(); h.Close() }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				h := w.newHub(subscription.Config{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- h.Run(ctx) }()
				c := connect(t, h, ann, subscription.Now(), nil)
				synctest.Wait()
				test.end(h, cancel)
				synctest.Wait()
				if got := <-ended; got != test.want {
					t.Errorf("Run ended with %v, want %v", got, test.want)
				}
				if c.err != subscription.ErrShuttingDown {
					t.Errorf("the feed ended with %v, want %v", c.err, subscription.ErrShuttingDown)
				}
			})
		})
	}
}

func TestErrorsHaveAKindForTheClient(t *testing.T) {
	for err, want := range map[error]domain.Kind{
		subscription.ErrTooSlow:      domain.RateLimited,
		subscription.ErrShuttingDown: domain.Unavailable,
	} {
		if got := domain.KindOf(err); got != want {
			t.Errorf("%v is of kind %d, want %d", err, got, want)
		}
	}
}

// The hub cannot decode events of a newer version.
func TestHubSkipsEventsThatItCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		live := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, live)
		w.happen(nil)
		p := w.post(bob)
		w.record(nil)
		w.record(nil)
		w.show()
		q := w.post(bob)
		wantItems(t, live, p, q)
		late := connect(t, h, ann, subscription.After(p), nil)
		wantItems(t, late, q)
		w.happen(nil)
		if stats := h.Stats(); stats.Outage != nil {
			t.Errorf("Stats: got the outage %+v, want none", stats.Outage)
		}
		synctest.Wait()
		if at := h.Stats().Position; at != domain.Position(len(w.events)) {
			t.Errorf("the hub is at %d, want %d", at, len(w.events))
		}
	})
}

func TestHubLogsTypesThatItCannotReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := newWorld()
		h := w.hub(t, subscription.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		w.follow(ann, bob)
		live := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, live)
		var before, after domain.Position
		w.change(func() {
			before = w.add(domain.ChirpPosted{AuthorID: bob})
			w.add(nil)
			w.add(nil)
			w.addRaw("user.followed.v1", `{"followerId": 7}`)
			w.addRaw("", "")
			w.addRaw("user.followed.v1", `{"followerId": "a", "followeeId": "b", "since": "a newer field"}`)
			after = w.add(domain.ChirpPosted{AuthorID: bob})
		})
		w.show()
		wantItems(t, live, before, after)
		if n := strings.Count(log.String(), "cannot be read"); n != 3 {
			t.Errorf("got %d lines in the log, want one for each of three types:\n%s", n, log.String())
		}
	})
}

func TestHubReportsAnOutageUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := newWorld()
		h := w.hub(t, subscription.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		w.follow(ann, bob)
		synctest.Wait()
		broken := errors.New("broken")
		w.change(func() { w.outage = broken })
		w.post(bob)
		time.Sleep(150 * time.Second)
		stats := h.Stats()
		if stats.Outage == nil || !errors.Is(stats.Outage.Err, broken) || time.Since(stats.Outage.Since) < 140*time.Second || stats.Outage.Tries < 70 {
			t.Errorf("Stats in an outage: got %+v, want one of more than two minutes, with a try each 2 s", stats.Outage)
		}
		w.change(func() { w.outage = nil })
		time.Sleep(5 * time.Second)
		if stats := h.Stats(); stats.Outage != nil || stats.Position != 2 {
			t.Errorf("Stats after the outage: got %+v at %d, want none, at 2", stats.Outage, stats.Position)
		}
		w.change(func() { w.outage = broken }) // with nothing to be read
		time.Sleep(5 * time.Second)
		w.happen(nil) // wakes Follow
		time.Sleep(20 * time.Second)
		w.change(func() { w.outage = nil })
		time.Sleep(10 * time.Second)
		if stats := h.Stats(); stats.Outage != nil {
			t.Errorf("Stats of an idle hub after an outage: got %+v, want none", stats.Outage)
		}
		if n := strings.Count(log.String(), "lost the log"); n > 5 {
			t.Errorf("two outages are logged in %d lines, want one a minute:\n%s", n, log.String())
		}
	})
}
