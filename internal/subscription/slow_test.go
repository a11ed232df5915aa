package subscription_test

import (
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

func TestSlowSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{Buffer: 4, Page: 3})
		w.follow(ann, bob)
		w.follow(cat, bob)
		gate := make(chan struct{})
		slow := connect(t, h, ann, subscription.Now(), gate)
		quick := connect(t, h, cat, subscription.Now(), nil)
		wantItems(t, quick)

		var posted []domain.Position
		for range 50 {
			posted = append(posted, w.post(bob))
			wantItems(t, quick, posted...) // does not wait for the slow one
		}
		wantItems(t, slow)
		if s := h.Stats(); s.Feeds != 2 || s.Authors != 1 || s.CatchUps != 0 {
			t.Errorf("got %+v, want two feeds, one author, no catch-up yet", s)
		}
		close(gate)
		wantItems(t, slow, posted...)
		posted = append(posted, w.post(bob))
		wantItems(t, slow, posted...)
		wantItems(t, quick, posted...)
		if s := h.Stats(); s.CatchUps != 1 || s.Dropped != 0 {
			t.Errorf("got %+v, want one catch-up and none dropped", s)
		}
	})
}

func TestSlowSubscriberIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{Buffer: 2})
		w.follow(ann, bob)
		w.follow(ann, cat)
		slow := connect(t, h, ann, subscription.Now(), make(chan struct{}))
		wantItems(t, slow)
		// One that it works on, two in the buffer, and one that does not fit.
		for i := range 4 {
			if got := h.Stats().Authors; got != 2 {
				t.Fatalf("after %d chirps the hub has %d authors, want 2", i, got)
			}
			w.post(bob)
			synctest.Wait()
		}
		if got := h.Stats().Authors; got != 0 {
			t.Errorf("the hub still has %d authors for a subscriber whose buffer is full, want 0", got)
		}
	})
}

// While a subscriber works through its buffer and catches up, its viewer may
// change whom it follows.
func TestSlowSubscriberChangesFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{Buffer: 2, Page: 2})
		w.follow(ann, bob)
		gate := make(chan struct{})
		slow := connect(t, h, ann, subscription.Now(), gate)
		wantItems(t, slow)
		// The first four fill what it holds and its buffer, the fourth is lost.
		p := []domain.Position{w.post(bob)}
		synctest.Wait()
		p = append(p, w.post(bob), w.post(bob))
		w.post(cat) // older than its position once it catches up
		lost := w.post(bob)
		synctest.Wait()
		w.unfollow(ann, bob) // takes the lost one out of the feed
		q := w.post(cat)     // enters the feed by the follow
		w.follow(ann, cat)
		r := w.post(cat)
		synctest.Wait()
		close(gate)
		wantItems(t, slow, append(p, q, r)...)
		if lost >= q {
			t.Fatal("the test posts the chirps in the wrong order")
		}
	})
}

func TestTooSlow(t *testing.T) {
	// grow chirps are posted before each read, which reads a page of two.
	tests := map[string]struct {
		grow      int
		maxBehind domain.Position
		patience  time.Duration
		dropped   bool
	}{
		"loses ground far behind":                  {grow: 3, maxBehind: 10, patience: 1, dropped: true},
		"holds its distance far behind":            {grow: 2, maxBehind: 10, patience: 1, dropped: true},
		"gains far behind":                         {grow: 1, maxBehind: 10, patience: 1},
		"loses ground within the bound":            {grow: 3, maxBehind: 10_000, patience: 1},
		"loses ground far behind for a short time": {grow: 3, maxBehind: 10, patience: time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				h := w.hub(t, subscription.Config{Page: 2, MaxBehind: test.maxBehind, Patience: test.patience})
				w.follow(ann, bob)
				for range 60 {
					w.post(bob)
				}
				synctest.Wait()
				w.change(func() { w.grow, w.grower = test.grow, bob })
				gate := make(chan struct{})
				c := connect(t, h, ann, subscription.After(0), gate)
				for range 100 {
					select {
					case gate <- struct{}{}:
					case <-time.After(time.Second): // it waits for more, or has ended
					}
					time.Sleep(time.Millisecond)
				}
				synctest.Wait()
				if test.dropped != (c.err == subscription.ErrTooSlow) || test.dropped != (h.Stats().Dropped == 1) {
					t.Errorf("ended %t with %v, %+v; want dropped %t", c.ended, c.err, h.Stats(), test.dropped)
				}
				for i := 1; i < len(c.items); i++ {
					if c.items[i].Position != c.items[i-1].Position+1 {
						t.Fatalf("chirp %d came after %d", c.items[i].Position, c.items[i-1].Position)
					}
				}
			})
		})
	}
}
