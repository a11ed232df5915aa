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
	"chirp/internal/subscription"
)

// The random test lets users post, follow and unfollow while subscribers of all
// tempers listen: some break off and come back, some are slow, the store fails
// now and then, and the hub's buffers are tiny. At the end, what each
// subscriber got over all its connections is held against the log.

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
	live(w, random)
	time.Sleep(10 * time.Minute) // everybody has long got everything
	synctest.Wait()
	cancel()
	all.Wait()
	for _, v := range visitors {
		v.check(t, w.events)
	}
}

// live makes things happen, from three goroutines, with the views sometimes
// behind and the store sometimes away.
func live(w *world, random *rand.Rand) {
	var writers sync.WaitGroup
	for range 3 {
		random := rand.New(rand.NewPCG(random.Uint64(), 0))
		writers.Go(func() {
			for range randomEvents / 3 {
				act(w, random)
				if random.IntN(3) == 0 {
					time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
				}
			}
		})
	}
	writers.Wait()
	w.change(func() { w.outage, w.behind, w.checkpoint = nil, 0, domain.Position(len(w.events)) })
}

func act(w *world, random *rand.Rand) {
	who, whom := user(random.IntN(randomUsers)), user(random.IntN(randomUsers))
	w.change(func() {
		switch n := random.IntN(20); {
		case n < 10:
			w.add(domain.ChirpPosted{AuthorID: who})
		case n < 14 && who != whom:
			if _, followees := feedAt(w.events, who); slices.Contains(followees, whom) {
				w.add(domain.UserUnfollowed{FollowerID: who, FolloweeID: whom})
			} else {
				w.add(domain.UserFollowed{FollowerID: who, FolloweeID: whom})
			}
		case n < 15:
			w.outage = domain.Errorf(domain.Unavailable, "the store is away")
		case n < 16:
			w.behind = domain.Position(random.IntN(4)) // another generation serves
		default:
			w.outage = nil
			w.checkpoint += domain.Position(random.IntN(len(w.events) - int(w.checkpoint) + 1))
		}
	})
}

// visitor subscribes again and again, each time after the last chirp it got.
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

// check holds what came against the log: every chirp once, in order, as it was
// posted; all that were posted under a follow that still stands; and none by
// somebody who was not followed at that time or later.
func (v *visitor) check(t *testing.T, events []subscription.Recorded) {
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
		e, ok := events[item.Position-1].Event.(domain.ChirpPosted)
		if want := (subscription.Item{Position: item.Position, Chirp: e.ChirpID, Author: e.AuthorID, Content: e.Content, PostedAt: events[item.Position-1].At}); !ok || item != want {
			t.Fatalf("%s got %+v, want %+v", v.viewer, item, want)
		}
	}
	if want, _ := feedAt(events, v.viewer); v.viewer == user(constant) && !slices.Equal(v.items, want) {
		t.Fatalf("%s got %d chirps, its feed has %d:\n%v\n%v", v.viewer, len(v.items), len(want), v.items, want)
	}
	must, may := bounds(events, v.viewer)
	for p := range must {
		if !got[p] {
			t.Errorf("%s did not get chirp %d", v.viewer, p)
		}
	}
	for p := range got {
		if !may[p] {
			t.Errorf("%s got chirp %d of somebody it never followed since", v.viewer, p)
		}
	}
}

// bounds gives the chirps that a viewer must get, whenever it is caught up and
// live, and those that it may.
func bounds(events []subscription.Recorded, viewer domain.UserID) (must, may map[domain.Position]bool) {
	must, may = make(map[domain.Position]bool), make(map[domain.Position]bool)
	since := make(map[domain.UserID]domain.Position) // of follows that stand
	until := make(map[domain.UserID]domain.Position) // of the last follow, if it ended
	for _, r := range events {
		switch e := r.Event.(type) {
		case domain.UserFollowed:
			if e.FollowerID == viewer {
				since[e.FolloweeID] = r.Position
			}
		case domain.UserUnfollowed:
			if e.FollowerID == viewer {
				delete(since, e.FolloweeID)
				until[e.FolloweeID] = r.Position
			}
		}
	}
	for _, r := range events {
		e, ok := r.Event.(domain.ChirpPosted)
		if !ok {
			continue
		}
		followed, stands := since[e.AuthorID]
		must[r.Position] = stands && r.Position > followed
		may[r.Position] = stands || r.Position < until[e.AuthorID]
	}
	clearFalse(must)
	clearFalse(may)
	return must, may
}

func clearFalse(set map[domain.Position]bool) {
	for p, in := range set {
		if !in {
			delete(set, p)
		}
	}
}

// One that is never too slow gets exactly what was posted while it followed
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
				live(w, random)
				time.Sleep(time.Minute)
				for viewer, c := range clients {
					wantItems(t, c, postedWhileFollowed(w.events, viewer)...)
				}
			})
		})
	}
}

func postedWhileFollowed(events []subscription.Recorded, viewer domain.UserID) []domain.Position {
	var posted []domain.Position
	follows := make(map[domain.UserID]bool)
	for _, r := range events {
		switch e := r.Event.(type) {
		case domain.UserFollowed:
			if e.FollowerID == viewer {
				follows[e.FolloweeID] = true
			}
		case domain.UserUnfollowed:
			if e.FollowerID == viewer {
				delete(follows, e.FolloweeID)
			}
		case domain.ChirpPosted:
			if follows[e.AuthorID] {
				posted = append(posted, r.Position)
			}
		}
	}
	return posted
}
