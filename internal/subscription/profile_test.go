package subscription_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

// watch subscribes to a user's profile and collects the positions that are yielded,
// and the error at the end. If gate is not nil, it waits for a token from it after
// each position.
func watch(t *testing.T, h *subscription.Hub, user domain.UserID, gate chan struct{}) (changes *[]domain.Position, end *error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	changes, end = new([]domain.Position), new(error)
	go func() {
		for p, err := range h.Profile(ctx, user) {
			if err != nil {
				*end = err
				return
			}
			*changes = append(*changes, p)
			if gate != nil {
				select {
				case <-gate:
				case <-ctx.Done():
				}
			}
		}
	}()
	return changes, end, cancel
}

func wantChanges(t *testing.T, changes *[]domain.Position, want ...domain.Position) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(*changes, want) {
		t.Fatalf("got changes at %v, want %v", *changes, want)
	}
}

func TestProfile(t *testing.T) {
	events := map[string]struct {
		event   domain.Event
		changes bool
	}{
		"its registration":          {domain.UserRegistered{UserID: ann, Username: "ann"}, true},
		"its own chirp":             {domain.ChirpPosted{AuthorID: ann}, true},
		"a follow by it":            {domain.UserFollowed{FollowerID: ann, FolloweeID: bob}, true},
		"a follow of it":            {domain.UserFollowed{FollowerID: bob, FolloweeID: ann}, true},
		"an unfollow by it":         {domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob}, true},
		"an unfollow of it":         {domain.UserUnfollowed{FollowerID: bob, FolloweeID: ann}, true},
		"another's registration":    {domain.UserRegistered{UserID: bob, Username: "bob"}, false},
		"another's chirp":           {domain.ChirpPosted{AuthorID: bob}, false},
		"a follow between others":   {domain.UserFollowed{FollowerID: bob, FolloweeID: cat}, false},
		"an unfollow among others":  {domain.UserUnfollowed{FollowerID: bob, FolloweeID: cat}, false},
		"a reservation of its name": {domain.UsernameReserved{UserID: ann, Username: "ann"}, false},
	}
	for name, test := range events {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.post(cat)
				h := w.hub(t, subscription.Config{})
				synctest.Wait()
				changes, _, _ := watch(t, h, ann, nil)
				wantChanges(t, changes, 1) // the current state, at once
				at := w.record(test.event)
				wantChanges(t, changes, 1) // not visible yet
				w.show()
				if test.changes {
					wantChanges(t, changes, 1, at)
				} else {
					wantChanges(t, changes, 1)
				}
			})
		})
	}
}

func TestProfileCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		synctest.Wait()
		gate := make(chan struct{})
		slow, _, _ := watch(t, h, ann, gate)
		quick, _, stop := watch(t, h, ann, nil)
		wantChanges(t, slow, 0)
		var last domain.Position
		for range 20 {
			last = w.post(ann)
			synctest.Wait()
		}
		w.post(bob)
		wantChanges(t, slow, 0)
		if len(*quick) != 21 {
			t.Errorf("the quick one got %d changes, want 21", len(*quick))
		}
		stop()
		gate <- struct{}{}
		wantChanges(t, slow, 0, last)
		if got := h.Stats().Profiles; got != 1 {
			t.Errorf("got %d profile subscriptions, want 1", got)
		}
	})
}

func TestProfileEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		_, end, _ := watch(t, h, ann, nil)
		_, stopped, stop := watch(t, h, ann, nil)
		synctest.Wait()
		stop()
		h.Close()
		synctest.Wait()
		if *end != subscription.ErrShuttingDown {
			t.Errorf("ended with %v, want %v", *end, subscription.ErrShuttingDown)
		}
		if *stopped != nil {
			t.Errorf("the one that stopped got %v, want no error", *stopped)
		}
		if got := h.Stats().Profiles; got != 0 {
			t.Errorf("got %d profile subscriptions, want 0", got)
		}
		for range h.Profile(t.Context(), ann) {
			break
		}
	})
}
