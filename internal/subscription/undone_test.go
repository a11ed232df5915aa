package subscription_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/subscription"
)

func TestSubscriptionsEndWhenTheLogIsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		p := w.post(bob)
		live := connect(t, h, ann, subscription.After(0), nil)
		wantItems(t, live, p)
		var profile error
		go func() {
			for _, err := range h.Profile(t.Context(), bob) {
				profile = err
			}
		}()
		synctest.Wait()
		undone := w.post(bob)
		wantItems(t, live, p, undone)
		w.undo(undone)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !errors.Is(live.err, subscription.ErrUndone) || !errors.Is(profile, subscription.ErrUndone) {
			t.Errorf("the feed ended with %v and the profile with %v, want ErrUndone", live.err, profile)
		}
		w.post(cat)
		time.Sleep(5 * time.Second)
		again := connect(t, h, ann, subscription.After(p), nil)
		wantItems(t, again)
		q := w.post(bob)
		wantItems(t, again, q)
	})
}
