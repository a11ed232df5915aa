package gate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/gate"
)

// queue has callers wait at a gate of one place, which is taken, and records the
// order in which they are admitted and refused.
type queue struct {
	t       *testing.T
	gate    *gate.Gate
	waiting sync.WaitGroup
	open    func()

	mu       sync.Mutex
	admitted []string
	refused  []string
}

func newQueue(t *testing.T, l gate.Limits) *queue {
	q := &queue{t: t, gate: gate.NewLimited("test", l)}
	leave, err := q.gate.EnterN(t.Context(), l.Places)
	if err != nil {
		t.Fatal(err)
	}
	q.open = leave
	return q
}

// wait adds a caller. The path is written with slashes.
func (q *queue) wait(ctx context.Context, n int, path string) {
	var keys []string
	if path != "" {
		keys = strings.Split(path, "/")
	}
	q.waiting.Go(func() {
		leave, err := q.gate.EnterN(ctx, n, keys...)
		q.mu.Lock()
		if err != nil {
			q.refused = append(q.refused, path)
		} else {
			q.admitted = append(q.admitted, path)
			defer time.AfterFunc(time.Millisecond, leave)
		}
		q.mu.Unlock()
	})
	synctest.Wait() // so that the callers come in order
}

// served opens the gate and returns in which order the callers were admitted.
func (q *queue) served() string {
	q.open()
	q.waiting.Wait()
	time.Sleep(time.Second) // until all have left
	if s := q.gate.Stats(); s.Inside != 0 || s.Waiting != 0 {
		q.t.Errorf("got %+v, want nobody left", s)
	}
	if left := gate.Keys(q.gate); left != 0 {
		q.t.Errorf("%d keys are remembered without a caller, want none", left)
	}
	return strings.Join(q.admitted, " ")
}

func TestThoseWhoWaitTakeTurnsByTheirKeys(t *testing.T) {
	for _, c := range []struct{ name, come, want string }{
		{"one key is a queue", "a a a", "a a a"},
		{"keys take turns", "a a a a b b c", "a b c a b a a"},
		{"one that comes late waits for one turn of each", "a a a b b b c", "a b c a b a b"},
		{"turns within turns", "n/a n/a n/a n/b m", "n/a m n/b n/a n/a"},
		{"a network with many addresses has one turn", "n/a n/b n/c n/d m/e m/e", "n/a m/e n/b m/e n/c n/d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(t, gate.Limits{Places: 1})
				for _, path := range strings.Fields(c.come) {
					q.wait(t.Context(), 1, path)
				}
				if got := q.served(); got != c.want {
					t.Errorf("came %s: served %s, want %s", c.come, got, c.want)
				}
			})
		})
	}
}

func TestCallersWithoutKeysAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("test", 1, 0)
		leave := enter(t, g, t.Context())
		var order []int
		var waiting sync.WaitGroup
		for i := range 10 {
			waiting.Go(func() {
				leave := enter(t, g, t.Context())
				order = append(order, i)
				leave()
			})
			synctest.Wait()
		}
		leave()
		waiting.Wait()
		if !slices.IsSorted(order) || len(order) != 10 {
			t.Errorf("served in the order %v, want that in which they came", order)
		}
	})
}

func TestWhoNeedsManyPlacesIsNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, gate.Limits{Places: 10})
		q.wait(t.Context(), 9, "big")
		q.wait(t.Context(), 50, "huge") // more than there are: all of them
		for range 20 {
			q.wait(t.Context(), 1, "small")
		}
		if got := q.served(); !strings.HasPrefix(got, "big huge small") || strings.Count(got, "small") != 20 {
			t.Errorf("served %s, want big, huge and then all the small ones", got)
		}
	})
}

func TestWhoFitsDoesNotOvertakeThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, gate.Limits{Places: 10})
		q.open()
		q.open = enter(t, q.gate, t.Context())
		q.wait(t.Context(), 10, "big")
		q.wait(t.Context(), 1, "small")
		if got := q.served(); got != "big small" {
			t.Errorf("served %s, want big first", got)
		}
	})
}

func TestWhoGivesUpLetsThoseBehindIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewLimited("test", gate.Limits{Places: 2})
		leave, _ := g.EnterN(t.Context(), 1)
		defer leave()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = g.EnterN(ctx, 2, "a") }()
		synctest.Wait()
		admitted := make(chan struct{})
		go func() {
			defer close(admitted)
			enter(t, g, t.Context())()
		}()
		synctest.Wait()
		begun := time.Now()
		cancel()
		<-admitted
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("waited for %s, want to be admitted when the one in front gave up", waited)
		}
	})
}

func TestTheKeyWithTheMostCallersIsRefusedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, gate.Limits{Places: 1, Waiting: 6})
		for range 9 {
			q.wait(t.Context(), 1, "net/flood")
		}
		q.wait(t.Context(), 1, "net/neighbor")
		q.wait(t.Context(), 1, "victim")
		if want := 5; len(q.refused) != want || slices.ContainsFunc(q.refused, func(path string) bool { return path != "net/flood" }) {
			t.Errorf("refused %v, want %d of the flood", q.refused, want)
		}
		if got, want := q.served(), "net/flood victim net/neighbor net/flood net/flood net/flood"; got != want {
			t.Errorf("served %s, want %s", got, want)
		}
		if got := q.gate.Stats().Refused; got != 5 {
			t.Errorf("%d are counted as refused, want 5", got)
		}
	})
}

func TestOneKeyHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, gate.Limits{Places: 1, WaitingPerKey: 2})
		for _, path := range strings.Fields("a/1 a/2 a/3 b/1 a/4") {
			q.wait(t.Context(), 1, path)
		}
		if got := strings.Join(q.refused, " "); got != "a/3 a/4" {
			t.Errorf("refused %q, want a/3 and a/4", got)
		}
		if got := q.served(); got != "a/1 b/1 a/2" {
			t.Errorf("served %q, want the others", got)
		}
	})
}

func TestOneKeyTakesAPartOfThePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewLimited("test", gate.Limits{Places: 4, PlacesPerKey: 3})
		var leave []func()
		for range 3 {
			leave = append(leave, enter(t, g, t.Context(), "a"))
		}
		if _, err := g.Enter(t.Context(), "a"); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("the fourth of one key: got %v, want kind Unavailable", err)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() {
			leave, err := g.EnterN(t.Context(), 9, "a") // as many as a may have
			if err != nil {
				t.Error(err)
				return
			}
			if got := g.Stats().Inside; got != 3 {
				t.Errorf("%d places are taken, want 3", got)
			}
			leave()
		})
		synctest.Wait()
		enter(t, g, t.Context(), "b")() // passes the one who waits
		for _, leave := range leave {
			leave()
		}
		waiting.Wait()
		if got := gate.Counted(g); got != 0 {
			t.Errorf("%d keys are counted without a caller, want none", got)
		}
	})
}

func TestWhoReturnsDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewLimited("test", gate.Limits{Places: 1})
		leave := enter(t, g, t.Context())
		returned := g.Rejoin(t.Context(), 1, "a")
		if got := g.Stats().Inside; got != 2 {
			t.Errorf("%d are inside, want 2", got)
		}
		leave()
		if _, err := g.Enter(t.Context()); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("while the one who returned is inside: got %v, want kind Unavailable", err)
		}
		returned()
		enter(t, g, t.Context())()
	})
}

func TestWhoDoesNotWaitEntersWhereThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.NewLimited("test", gate.Limits{Places: 2, PlacesPerKey: 1})
		try := func(when, key string, want bool) (leave func()) {
			t.Helper()
			leave, ok := g.TryEnter(t.Context(), key)
			if ok != want {
				t.Errorf("%s: entered %t, want %t", when, ok, want)
			}
			return leave
		}
		leaveA := try("an empty gate", "a", true)
		try("the same key", "a", false)
		leaveB := try("another key", "b", true)
		try("a full gate", "c", false)
		leaveA()
		leaveA = try("a key that has left", "a", true)
		leaveA()
		leaveB()
		if got := g.Stats().Inside; got != 0 {
			t.Errorf("%d are inside, want 0", got)
		}
	})
}

func TestTheServersOwnCallsAreNeverRefusedForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, gate.Limits{Places: 1, Waiting: 1, WaitingPerKey: 1})
		for range 3 {
			q.wait(gate.Own(t.Context()), 1, "own")
		}
		q.wait(t.Context(), 1, "client")
		if got := strings.Join(q.refused, " "); got != "client" {
			t.Errorf("refused %q, want the client", got)
		}
		if got := q.served(); got != "own own own" {
			t.Errorf("served %q, want the server's own", got)
		}
	})
}

// TestNoKeyStarvesWhateverTheOthersDo floods a gate from some keys, with callers
// that give up, and measures how many others are admitted before a caller of
// another key is.
func TestNoKeyStarvesWhateverTheOthersDo(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { floodAndMeasure(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func floodAndMeasure(t *testing.T, random *rand.Rand) {
	const places, keys = 4, 5
	g := gate.NewLimited("test", gate.Limits{Places: places, Patience: time.Hour, Waiting: 200})
	var inside, admissions atomic.Int64
	use := func(ctx context.Context, n int, hold time.Duration, path ...string) error {
		leave, err := g.EnterN(ctx, n, path...)
		if err != nil {
			return err
		}
		admissions.Add(1)
		if now := inside.Add(int64(n)); now > places {
			t.Errorf("%d places are taken of %d", now, places)
		}
		time.Sleep(hold)
		inside.Add(-int64(n))
		leave()
		return nil
	}
	var flood sync.WaitGroup
	for range 400 {
		n, hold, patience := 1+random.IntN(places), time.Duration(random.IntN(20))*time.Millisecond, time.Duration(1+random.IntN(3000))*time.Millisecond
		path := []string{fmt.Sprint("net", random.IntN(keys)), fmt.Sprint("caller", random.IntN(3))}
		flood.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := use(ctx, n, hold, path...)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && domain.KindOf(err) != domain.Unavailable {
				t.Error(err)
			}
		})
	}
	for range 5 {
		synctest.Wait() // so that admissions counts all who are inside
		before := admissions.Load()
		if err := use(t.Context(), 1, 0, "victim"); err != nil {
			t.Error(err)
		}
		if others := admissions.Load() - before - 1; others > keys+places {
			t.Errorf("%d others were admitted first, want at most one turn of each of the %d keys", others, keys)
		}
	}
	flood.Wait()
	if s := g.Stats(); s.Inside != 0 || s.Waiting != 0 || gate.Keys(g) != 0 {
		t.Errorf("got %+v and %d keys, want nobody left", s, gate.Keys(g))
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	g := gate.NewLimited("test", gate.Limits{Places: 3, Reserve: 1, Waiting: 50})
	var inside, most atomic.Int64
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%10 == 0 {
				ctx = gate.Own(ctx)
			}
			if i%7 == 0 {
				go cancel()
			}
			for range 20 {
				leave, err := g.Enter(ctx, fmt.Sprint(i%5))
				if err != nil {
					continue
				}
				if now := inside.Add(1); now > most.Load() {
					most.Store(now)
				}
				inside.Add(-1)
				leave()
			}
		})
	}
	callers.Wait()
	if s := g.Stats(); s.Inside != 0 || s.Waiting != 0 || gate.Keys(g) != 0 || most.Load() > 4 {
		t.Errorf("got %+v, %d keys and up to %d inside, want nobody left and at most 4", s, gate.Keys(g), most.Load())
	}
}

func BenchmarkEnter(b *testing.B) {
	g := gate.New("test", 4, 1)
	for b.Loop() {
		leave, _ := g.Enter(b.Context(), "192.0.2.0/24", "192.0.2.1")
		leave()
	}
}
