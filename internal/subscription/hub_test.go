package subscription_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

func TestHubRidesOutOutages(t *testing.T) {
	outages := map[string]error{
		"Unavailable": domain.Errorf(domain.Unavailable, "the store is away"),
		"anything":    errors.New("broken"),
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
		w.outage = domain.Errorf(domain.Unavailable, "the store is away")
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

// A subscriber who is there before the hub runs misses nothing.
func TestHubStartsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := subscription.New(subscription.Config{Follow: w.Follow, Await: w.Await, Read: w.Read})
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

// A log that skips a position has lost the hub's trust: it follows anew.
func TestHubRefusesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		skips := 3
		h := subscription.New(subscription.Config{Await: w.Await, Read: w.Read,
			Follow: func(ctx context.Context, after domain.Position) iter.Seq2[[]subscription.Recorded, error] {
				if skips--; skips >= 0 {
					after++
				}
				return w.Follow(ctx, after)
			}})
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
				h := subscription.New(subscription.Config{Follow: w.Follow, Await: w.Await, Read: w.Read})
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

func TestErrorsCanBeTold(t *testing.T) {
	for err, want := range map[error]domain.Kind{
		subscription.ErrTooSlow:      domain.RateLimited,
		subscription.ErrShuttingDown: domain.Unavailable,
	} {
		if got := domain.KindOf(err); got != want {
			t.Errorf("%v is of kind %d, want %d", err, got, want)
		}
	}
}
