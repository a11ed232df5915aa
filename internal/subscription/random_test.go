package subscription_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
	"chirp/internal/subscription"
)

// In the random test users post, follow and unfollow while subscribers listen: some
// leave and come back, some are slow, the store fails now and then, and the hub's
// buffers are tiny. In the end the test compares what each subscriber received over
// all its connections with the log.

const (
	randomUsers  = 6
	randomEvents = 400
)

func user(i int) domain.UserID { return domain.UserID(fmt.Sprintf("user_%d", i)) }

// constant is a viewer whose follows don't change once it is connected.
const constant = randomUsers

func TestRandomly(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runRandomly(t, seed) })
		})
	}
}

func runRandomly(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()
	h := w.hub(t, subscription.Config{
		Buffer: 1 + random.IntN(5), Recent: 4 + random.IntN(20), Page: 1 + random.IntN(5),
	})
	for i := range constant {
		if random.IntN(3) > 0 {
			w.follow(user(constant), user(i))
		}
	}
	synctest.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var visitors []*visitor
	var all sync.WaitGroup
	for i := range constant + 1 {
		for range 2 {
			v := &visitor{viewer: user(i), random: rand.New(rand.NewPCG(seed, uint64(len(visitors)+2)))}
			visitors = append(visitors, v)
			all.Go(func() { v.visit(ctx, h) })
		}
	}
	writeRandomly(w, random)
	time.Sleep(10 * time.Minute) // far more than any subscriber needs to catch up
	synctest.Wait()
	cancel()
	all.Wait()
	for _, v := range visitors {
		v.check(t, w)
	}
}

// writeRandomly writes random events from three goroutines, while the views are
// sometimes behind and the store is sometimes down.
func writeRandomly(w *world, random *rand.Rand) {
	var writers sync.WaitGroup
	for range 3 {
		random := rand.New(rand.NewPCG(random.Uint64(), 0))
		writers.Go(func() {
			for range randomEvents / 3 {
				step(w, random)
				if random.IntN(3) == 0 {
					time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
				}
			}
		})
	}
	writers.Wait()
	w.change(func() { w.outage, w.behind, w.checkpoint = nil, 0, domain.Position(len(w.events)) })
}

// step adds one random event, or changes the state of the store or the views.
func step(w *world, random *rand.Rand) {
	who, whom := user(random.IntN(randomUsers)), user(random.IntN(randomUsers))
	w.change(func() {
		switch n := random.IntN(20); {
		case n < 10:
			w.add(domain.ChirpPosted{AuthorID: who})
		case n < 14 && who != whom:
			if w.oracle.Following(who)[whom] {
				w.add(domain.UserUnfollowed{FollowerID: who, FolloweeID: whom})
			} else {
				w.add(domain.UserFollowed{FollowerID: who, FolloweeID: whom})
			}
		case n < 15:
			w.outage = domain.Errorf(domain.Unavailable, "the store is down")
		case n < 16:
			w.behind = domain.Position(random.IntN(4)) // another generation serves
		default:
			w.outage = nil
			w.checkpoint += domain.Position(random.IntN(len(w.events) - int(w.checkpoint) + 1))
		}
	})
}

// visitor subscribes again and again, each time after the last chirp it received.
type visitor struct {
	viewer domain.UserID
	random *rand.Rand
	items  []subscription.Item
	err    error
}

func (v *visitor) visit(ctx context.Context, h *subscription.Hub) {
	idle := []time.Duration{0, time.Millisecond, 5 * time.Millisecond}[v.random.IntN(3)]
	for ctx.Err() == nil && v.err == nil {
		var last domain.Position
		if n := len(v.items); n > 0 {
			last = v.items[n-1].Position
		}
		for item, err := range h.Feed(ctx, v.viewer, subscription.After(last)) {
			if err != nil {
				v.err = err
				break
			}
			v.items = append(v.items, item)
			if v.random.IntN(4) == 0 {
				time.Sleep(idle)
			}
			if v.random.IntN(25) == 0 {
				break
			}
		}
	}
}

// check compares what the visitor received with the log: every chirp once, in order
// and as it was posted; all chirps posted since a follow that still holds; and none
// by a user whom the viewer did not follow at that time or later.
func (v *visitor) check(t *testing.T, w *world) {
	t.Helper()
	if v.err != nil {
		t.Fatalf("%s got the error %v", v.viewer, v.err)
	}
	got := make(map[domain.Position]bool)
	for i, item := range v.items {
		if i > 0 && item.Position <= v.items[i-1].Position {
			t.Fatalf("%s got chirp %d after chirp %d", v.viewer, item.Position, v.items[i-1].Position)
		}
		got[item.Position] = true
		if want, posted := w.chirpAt(item.Position); !posted || item != want {
			t.Fatalf("%s got %+v, want %+v", v.viewer, item, want)
		}
	}
	if want := w.feedOf(v.viewer); v.viewer == user(constant) && !slices.Equal(v.items, want) {
		t.Fatalf("%s got %d chirps, its feed has %d:\n%v\n%v", v.viewer, len(v.items), len(want), v.items, want)
	}
	must, may := bounds(w, v.viewer)
	for p := range must {
		if !got[p] {
			t.Errorf("%s did not get chirp %d", v.viewer, p)
		}
	}
	for p := range got {
		if !may[p] {
			t.Errorf("%s got chirp %d of a user whom it did not follow then or later", v.viewer, p)
		}
	}
}

// bounds returns the chirps that a viewer must receive, however often it went from
// catch-up to live, and those that it may. The viewer must follow their authors
// throughout the time from the chirp to the end, or at some moment in it.
func bounds(w *world, viewer domain.UserID) (must, may map[domain.Position]bool) {
	must, may = make(map[domain.Position]bool), make(map[domain.Position]bool)
	follows := make([]map[domain.UserID]bool, len(w.events))
	for i := range follows {
		follows[i] = w.oracle.Through(domain.Position(i + 1)).Following(viewer)
	}
	for i := range w.events {
		chirp, posted := w.chirpAt(domain.Position(i + 1))
		if !posted {
			continue
		}
		times := 0
		for _, then := range follows[i:] {
			if then[chirp.Author] {
				times++
			}
		}
		if times == len(follows[i:]) {
			must[chirp.Position] = true
		}
		if times > 0 {
			may[chirp.Position] = true
		}
	}
	return must, may
}

// A subscriber that is always live receives exactly what was posted while it followed
// the author.
func TestRandomlyAlwaysLive(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				w := newWorld()
				h := w.hub(t, subscription.Config{Buffer: randomEvents})
				clients := make(map[domain.UserID]*client)
				for i := range randomUsers {
					clients[user(i)] = connect(t, h, user(i), subscription.Now(), nil)
				}
				synctest.Wait()
				writeRandomly(w, random)
				time.Sleep(time.Minute)
				for viewer, c := range clients {
					wantItems(t, c, postedWhileFollowed(w.oracle, viewer, len(w.events))...)
				}
			})
		})
	}
}

// postedWhileFollowed returns the chirps that were the newest in a viewer's feed when
// they were posted.
func postedWhileFollowed(oracle projectortest.Oracle, viewer domain.UserID, events int) []domain.Position {
	var posted []domain.Position
	for p := domain.Position(1); p <= domain.Position(events); p++ {
		if feed := oracle.Through(p).Feed(viewer); len(feed) > 0 && feed[0].Position == p {
			posted = append(posted, p)
		}
	}
	return posted
}
