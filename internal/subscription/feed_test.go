package subscription_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

const (
	ann = domain.UserID("user_ann")
	bob = domain.UserID("user_bob")
	cat = domain.UserID("user_cat")
)

func TestFeedLive(t *testing.T) {
	tests := map[string]func(t *testing.T, w *world, h *subscription.Hub){
		"yields the chirps of followees and of no one else": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			p := w.post(bob)
			w.post(cat)
			w.post(ann)
			q := w.post(bob)
			wantItems(t, c, p, q)
		},
		"yields the whole chirp": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			p := w.post(bob)
			wantItems(t, c, p)
			if feed := w.feedOf(ann); c.items[0] != feed[0] {
				t.Errorf("got %+v, want %+v", c.items[0], feed[0])
			}
		},
		"yields nothing before the views show it": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			p := w.record(domain.ChirpPosted{AuthorID: bob})
			q := w.record(domain.ChirpPosted{AuthorID: bob})
			wantItems(t, c)
			w.change(func() { w.checkpoint = p })
			wantItems(t, c, p)
			w.show()
			wantItems(t, c, p, q)
		},
		"from now omits what is visible": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			w.post(bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			p := w.post(bob)
			wantItems(t, c, p)
		},
		"after a position yields the newer ones, oldest first, then live": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			first, p, q := w.post(bob), w.post(bob), w.post(bob)
			c := connect(t, h, ann, subscription.After(first), nil)
			wantItems(t, c, p, q)
			r := w.post(bob)
			wantItems(t, c, p, q, r)
		},
		"after a position that the views have not reached yields only what is newer": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			p := w.record(domain.ChirpPosted{AuthorID: bob})
			c := connect(t, h, ann, subscription.After(p), nil)
			wantItems(t, c)
			q := w.post(bob)
			wantItems(t, c, q)
		},
		"a new followee counts from the follow on": func(t *testing.T, w *world, h *subscription.Hub) {
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			w.post(bob)
			w.follow(ann, bob)
			p := w.post(bob)
			wantItems(t, c, p)
		},
		"an unfollowed user no longer counts": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			p := w.post(bob)
			w.unfollow(ann, bob)
			w.post(bob)
			wantItems(t, c, p)
		},
		"an unfollow and a new follow omit what was between": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			wantItems(t, c)
			w.unfollow(ann, bob)
			w.post(bob)
			w.follow(ann, bob)
			p := w.post(bob)
			wantItems(t, c, p)
		},
		"others' follows change nothing": func(t *testing.T, w *world, h *subscription.Hub) {
			w.follow(ann, bob)
			c := connect(t, h, ann, subscription.Now(), nil)
			d := connect(t, h, cat, subscription.Now(), nil)
			wantItems(t, c)
			w.follow(cat, bob)
			w.unfollow(cat, bob)
			w.follow(bob, ann)
			p := w.post(bob)
			wantItems(t, c, p)
			wantItems(t, d)
		},
		"two subscriptions of one viewer both receive everything": func(t *testing.T, w *world, h *subscription.Hub) {
			c := connect(t, h, ann, subscription.Now(), nil)
			d := connect(t, h, ann, subscription.After(0), nil)
			wantItems(t, c)
			w.follow(ann, bob)
			p := w.post(bob)
			wantItems(t, c, p)
			wantItems(t, d, p)
			c.stop()
			synctest.Wait()
			q := w.post(bob)
			wantItems(t, c, p)
			wantItems(t, d, p, q)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				h := w.hub(t, subscription.Config{Page: 2})
				synctest.Wait()
				test(t, w, h)
			})
		})
	}
}

// Anything may happen between a catch-up read and the moment its subscriber is
// attached.
func TestFeedMissesNothingBetweenReadAndAttach(t *testing.T) {
	tests := map[string]struct {
		between func(w *world) []domain.Position // returns the chirps to expect
		reads   int
	}{
		"nothing happens": {func(*world) []domain.Position { return nil }, 1},
		"chirps": {func(w *world) []domain.Position {
			return []domain.Position{w.post(bob), w.post(bob)}
		}, 1},
		"an unfollow": {func(w *world) []domain.Position {
			p := w.post(bob)
			w.unfollow(ann, bob)
			w.post(bob)
			return []domain.Position{p}
		}, 1},
		"an unfollow and a new follow": {func(w *world) []domain.Position {
			w.unfollow(ann, bob)
			w.post(bob)
			w.follow(ann, bob)
			return []domain.Position{w.post(bob)}
		}, 1},
		"a follow": {func(w *world) []domain.Position {
			w.post(cat)
			w.follow(ann, cat)
			return []domain.Position{w.post(cat)}
		}, 1},
		"as much as the ring keeps": {func(w *world) (want []domain.Position) {
			for range 8 {
				want = append(want, w.post(bob))
			}
			return want
		}, 1},
		"more than the ring keeps, so that it reads again": {func(w *world) (want []domain.Position) {
			for range 9 {
				want = append(want, w.post(bob))
			}
			return want
		}, 2},
		"more than the buffer takes, so that it reads again": {func(w *world) (want []domain.Position) {
			for range 6 {
				want = append(want, w.post(bob))
			}
			return want
		}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				buffer := 100
				if name == "more than the buffer takes, so that it reads again" {
					buffer = 4
				}
				h := w.hub(t, subscription.Config{Buffer: buffer, Recent: 8})
				w.follow(ann, bob)
				first := w.post(bob)
				w.change(func() { w.readGate = make(chan struct{}) })
				c := connect(t, h, ann, subscription.After(0), nil)
				wantItems(t, c)
				want := append([]domain.Position{first}, test.between(w)...)
				synctest.Wait() // the hub is past all of it
				close(w.readGate)
				wantItems(t, c, want...)
				if w.reads != test.reads {
					t.Errorf("got %d reads, want %d", w.reads, test.reads)
				}
				w.follow(ann, cat)
				p := w.post(cat)
				wantItems(t, c, append(want, p)...)
			})
		})
	}
}

func TestFeedWhenTheHubIsBehindTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		synctest.Wait()
		w.change(func() { w.held = true })
		p := w.post(bob)
		w.follow(ann, cat)
		q := w.post(cat)
		w.unfollow(ann, cat)
		c := connect(t, h, ann, subscription.After(0), nil)
		wantItems(t, c, p) // cat's chirp left the feed before it was read
		d := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, d)
		if at := h.Stats().Position; at >= q {
			t.Fatalf("the hub is at %d, want it held before %d", at, q)
		}
		w.change(func() { w.held = false })
		wantItems(t, c, p)
		wantItems(t, d)
		w.post(cat)
		r := w.post(bob)
		wantItems(t, c, p, r)
		wantItems(t, d, r)
	})
}

// A generation that begins to serve may be slightly behind the one before.
func TestFeedWhenTheViewsStepBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{Buffer: 2, Page: 2})
		w.follow(ann, bob)
		gate := make(chan struct{}, 100)
		c := connect(t, h, ann, subscription.After(0), gate)
		synctest.Wait()
		var want []domain.Position
		for range 6 {
			want = append(want, w.post(bob))
			synctest.Wait()
		}
		w.change(func() { w.behind = 5 })
		for range 100 {
			gate <- struct{}{}
		}
		wantItems(t, c, want...)
		want = append(want, w.post(bob))
		wantItems(t, c, want...)
	})
}

// For a viewer whose follows don't change, the chirps of any number of connections
// add up to the feed, wherever the connections end.
func TestFeedResumes(t *testing.T) {
	for breakAfter := 1; breakAfter <= 5; breakAfter++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			h := w.hub(t, subscription.Config{Buffer: 2, Page: 3, Recent: 4})
			w.follow(ann, bob)
			w.follow(ann, cat)
			for range 10 {
				w.post(bob)
				w.post(ann)
			}
			go func() {
				for range 20 {
					time.Sleep(time.Millisecond)
					w.post(cat)
				}
			}()
			var got []subscription.Item
			var last domain.Position
			for len(got) < 30 {
				n := 0
				for item, err := range h.Feed(t.Context(), ann, subscription.After(last)) {
					if err != nil {
						t.Fatal(err)
					}
					got, last = append(got, item), item.Position
					if n++; n == breakAfter || len(got) == 30 {
						break
					}
				}
			}
			if want := w.feedOf(ann); !slices.Equal(got, want) {
				t.Errorf("stopping after %d each time: got %v, want %v", breakAfter, got, want)
			}
		})
	}
}

func TestFeedEnds(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		end  func(w *world, h *subscription.Hub, c *client)
		want error
	}{
		"without an error when its context ends": {func(_ *world, _ *subscription.Hub, c *client) { c.stop() }, nil},
		"with the reason when the hub closes":    {func(_ *world, h *subscription.Hub, _ *client) { h.Close() }, subscription.ErrShuttingDown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				h := w.hub(t, subscription.Config{})
				w.follow(ann, bob)
				c := connect(t, h, ann, subscription.Now(), nil)
				synctest.Wait()
				if s := h.Stats(); s.Feeds != 1 || s.Authors != 1 {
					t.Fatalf("got %+v, want one feed and one author", s)
				}
				test.end(w, h, c)
				synctest.Wait()
				if !c.ended || c.err != test.want {
					t.Errorf("ended %t with %v, want %v", c.ended, c.err, test.want)
				}
				if s := h.Stats(); s.Feeds != 0 || s.Authors != 0 {
					t.Errorf("got %+v, want no feed and no author left", s)
				}
			})
		})
	}
	t.Run("with the error of a failed read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			h := w.hub(t, subscription.Config{})
			synctest.Wait()
			w.change(func() { w.outage = broken })
			c := connect(t, h, ann, subscription.Now(), nil)
			synctest.Wait()
			if !c.ended || !errors.Is(c.err, broken) {
				t.Errorf("ended %t with %v, want %v", c.ended, c.err, broken)
			}
		})
	})
	t.Run("at once when the hub is closed before", func(t *testing.T) {
		w := newWorld()
		h := w.newHub(subscription.Config{})
		h.Close()
		w.follow(ann, bob)
		w.post(bob)
		for item, err := range h.Feed(context.Background(), ann, subscription.After(0)) {
			if err != subscription.ErrShuttingDown {
				t.Errorf("got %v, %v, want %v", item, err, subscription.ErrShuttingDown)
			}
		}
	})
}
