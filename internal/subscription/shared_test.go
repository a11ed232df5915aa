package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

// connectAll connects a number of clients of one viewer.
func connectAll(t *testing.T, h *subscription.Hub, n int, viewer domain.UserID, from subscription.Start) []*client {
	t.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = connect(t, h, viewer, from, nil)
	}
	return clients
}

func TestSubscriptionsOfAViewerShareItsFollowees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		gate := make(chan struct{})
		w.change(func() { w.readGate = gate })
		clients := connectAll(t, h, 20, ann, subscription.Now())
		synctest.Wait() // all are about to read
		close(gate)
		synctest.Wait()
		clients = append(clients, connectAll(t, h, 20, ann, subscription.Now())...)
		synctest.Wait()
		if w.sets != 1 {
			t.Errorf("40 subscriptions read the followees %d times, want once", w.sets)
		}
		p := w.post(bob)
		w.unfollow(ann, bob)
		w.post(bob)
		w.follow(ann, cat)
		q := w.post(cat)
		for _, c := range clients {
			wantItems(t, c, p, q)
		}
		for _, c := range clients {
			c.stop()
		}
		synctest.Wait()
		if got := h.Stats(); got.Authors != 0 || got.Held != 0 {
			t.Errorf("with the last subscription gone: got %+v, want no author and nothing held", got)
		}
	})
}

// A subscription that joins others takes part in the events between its read and now.
func TestASubscriptionThatJoinsOthersMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		first := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, first)
		gate := make(chan struct{})
		w.change(func() { w.readGate = gate })
		c := connect(t, h, ann, subscription.Now(), nil)
		synctest.Wait() // it has a snapshot of now
		p := w.post(bob)
		w.unfollow(ann, bob)
		w.post(bob)
		w.post(cat)
		w.follow(ann, cat)
		q := w.post(cat)
		wantItems(t, first, p, q)
		close(gate)
		wantItems(t, c, p, q)
		w.follow(ann, bob)
		r := w.post(bob)
		wantItems(t, c, p, q, r)
		if w.sets != 1 {
			t.Errorf("the followees were read %d times, want once", w.sets)
		}
	})
}

func TestFolloweesThatCannotBeReadAreNotTakenForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		w.change(func() { w.unreadable = domain.Errorf(domain.Unavailable, "the store is down") })
		clients := connectAll(t, h, 3, ann, subscription.Now())
		time.Sleep(time.Minute)
		w.change(func() {
			if w.sets > 100 {
				t.Errorf("three subscriptions tried %d times in a minute, want one at a time", w.sets)
			}
			w.unreadable = nil
		})
		time.Sleep(time.Minute)
		p := w.post(bob)
		for _, c := range clients {
			wantItems(t, c, p)
		}
		broken := errors.New("broken")
		w.change(func() { w.unreadable = broken })
		failed := connect(t, h, cat, subscription.Now(), nil)
		synctest.Wait()
		if !errors.Is(failed.err, broken) {
			t.Errorf("got %v, want %v", failed.err, broken)
		}
	})
}

// A subscription that waits for another one's read of the followees reads them itself
// if the other one leaves.
func TestAReadOfFolloweesIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		w.follow(ann, bob)
		w.change(func() { w.unreadable = domain.Errorf(domain.Unavailable, "the store is down") })
		first := connect(t, h, ann, subscription.Now(), nil)
		synctest.Wait()
		second := connect(t, h, ann, subscription.Now(), nil)
		synctest.Wait()
		first.stop()
		w.change(func() { w.unreadable = nil })
		time.Sleep(time.Minute)
		p := w.post(bob)
		wantItems(t, second, p)
	})
}

func TestFolloweesAreReadAgainAfterARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		synctest.Wait()
		w.post(bob)
		followed := w.follow(ann, bob)
		old := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, old)
		w.undo(followed)
		time.Sleep(5 * time.Second)
		w.follow(ann, cat)
		renewed := connect(t, h, ann, subscription.Now(), nil)
		wantItems(t, renewed)
		w.post(bob)
		p := w.post(cat)
		wantItems(t, renewed, p)
	})
}

// The memory of subscriptions does not grow with the users whom their viewer follows.
func TestSubscriptionsAreSmall(t *testing.T) {
	const subscriptions, followees = 300, 3000
	w := newWorld()
	h := w.hub(t, subscription.Config{})
	w.change(func() {
		for i := range followees {
			w.add(domain.UserFollowed{FollowerID: ann, FolloweeID: user(i)})
		}
	})
	w.show()
	before := heap()
	connectAll(t, h, subscriptions, ann, subscription.Now())
	for end := time.Now().Add(30 * time.Second); !live(h, subscriptions) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if !live(h, subscriptions) || h.Stats().Authors != followees {
		t.Fatalf("got %+v, want %d feeds of %d authors", h.Stats(), subscriptions, followees)
	}
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("%d subscriptions of a viewer who follows %d hold %d MB, want at most 10", subscriptions, followees, grown>>20)
	}
}

func live(h *subscription.Hub, n int) bool { s := h.Stats(); return s.Live == n }

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestABufferIsLimitedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{BufferBytes: 600})
		w.follow(ann, bob)
		gate := make(chan struct{})
		c := connect(t, h, ann, subscription.Now(), gate)
		wantItems(t, c)
		var posted []domain.Position
		for range 20 {
			posted = append(posted, w.post(bob))
			synctest.Wait()
		}
		if got := h.Stats(); got.Held == 0 || got.Held > 600 || got.Live != 0 {
			t.Errorf("a consumer that takes nothing: got %+v, want at most 600 bytes held, and no live subscriber", got)
		}
		close(gate)
		wantItems(t, c, posted...)
		if got := h.Stats(); got.Held != 0 || got.CatchUps == 0 {
			t.Errorf("got %+v, want nothing held, and a catch-up", got)
		}
	})
}

// When the feeds together hold what they may, a viewer who holds much goes back to
// reading, and one who holds little does not.
func TestViewersShareTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{AllBytes: 4000})
		w.follow(ann, bob)
		w.follow(cat, bob)
		gate := make(chan struct{})
		for range 10 {
			connect(t, h, ann, subscription.Now(), gate)
		}
		c := connect(t, h, cat, subscription.Now(), nil)
		wantItems(t, c)
		var posted []domain.Position
		for range 10 {
			posted = append(posted, w.post(bob))
			wantItems(t, c, posted...)
		}
		if got := h.Stats(); got.Held > 4000 || got.Live != 1 || got.CatchUps != 0 {
			t.Errorf("got %+v, want at most 4000 bytes held, cat's subscription live, and no catch-up of it", got)
		}
		close(gate)
	})
}

// Catch-up reads take turns: however many subscriptions a viewer has, another one waits
// for one of their reads besides the one that is under way.
func TestCatchUpReadsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{Readings: 1})
		w.follow(ann, bob)
		p := w.post(bob)
		gate := make(chan struct{})
		w.change(func() { w.readGate = gate })
		connectAll(t, h, 50, cat, subscription.After(0))
		synctest.Wait()
		c := connect(t, h, ann, subscription.After(0), nil)
		synctest.Wait()
		if w.reads != 1 {
			t.Errorf("%d reads are under way, want 1", w.reads)
		}
		for range 3 { // the read that is under way, the next one of cat's, and this one
			gate <- struct{}{}
		}
		wantItems(t, c, p)
		close(gate)
	})
}

// They take turns by network before: however many viewers a network has, one of another
// waits for one of their reads.
func TestCatchUpReadsTakeTurnsByNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type network struct{}
		w := newWorld()
		h := w.hub(t, subscription.Config{Readings: 1, Keys: func(ctx context.Context) []string {
			name, _ := ctx.Value(network{}).(string)
			return []string{name}
		}})
		w.follow(ann, bob)
		p := w.post(bob)
		gate := make(chan struct{})
		w.change(func() { w.readGate = gate })
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), network{}, "crowded"))
		for i := range 50 {
			go func() {
				for range h.Feed(ctx, domain.UserID(fmt.Sprint(i)), subscription.After(0)) {
				}
			}()
		}
		synctest.Wait()
		c := connect(t, h, ann, subscription.After(0), nil)
		synctest.Wait()
		for range 3 { // the read that is under way, the next one of the crowd's, and this one
			gate <- struct{}{}
		}
		wantItems(t, c, p)
		cancel()
		close(gate)
		synctest.Wait()
	})
}

func TestManyWatchersAreWokenInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		synctest.Wait()
		var crowd []*[]domain.Position
		for range 1000 {
			changes, _, stop := watch(t, h, ann, nil)
			defer stop()
			crowd = append(crowd, changes)
		}
		few, _, _ := watch(t, h, bob, nil)
		wantChanges(t, few, 0)
		var last domain.Position
		for range 3 {
			last = w.post(ann)
		}
		p := w.post(bob)
		wantChanges(t, few, 0, p)
		time.Sleep(time.Second)
		synctest.Wait()
		for i, changes := range crowd {
			if got := *changes; got[len(got)-1] != last {
				t.Fatalf("watcher %d got changes at %v, want the last at %d", i, got, last)
			}
		}
		if got := h.Stats().Profiles; got != 1001 {
			t.Errorf("got %d profile subscriptions, want 1001", got)
		}
	})
}

func TestManySubscribersGetEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(t, subscription.Config{})
		var crowd []*client
		for i := range 200 {
			viewer := domain.UserID(fmt.Sprintf("user_viewer%d", i))
			w.follow(viewer, bob)
			crowd = append(crowd, connect(t, h, viewer, subscription.Now(), nil))
		}
		synctest.Wait()
		want := []domain.Position{w.post(bob), w.post(bob), w.post(bob)}
		for _, c := range crowd {
			wantItems(t, c, want...)
		}
	})
}

// A hub whose Run has ended wakes nobody and leaves no goroutine behind.
func TestManyWatchersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.newHub(subscription.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = h.Run(ctx) }()
		synctest.Wait()
		for range 100 {
			watch(t, h, ann, nil)
		}
		synctest.Wait()
		w.post(ann)
		cancel()
		<-done
		synctest.Wait()
		if got := h.Stats().Profiles; got != 0 {
			t.Errorf("got %d profile subscriptions, want 0", got)
		}
	})
}
