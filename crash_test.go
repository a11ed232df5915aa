package main

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/domain"
)

// TestNothingIsLostOrDoneTwiceThroughKills kills a server again and again
// while clients send it mutations and repeat those that were not answered.
// CHIRP_TEST_CRASH_ROUNDS says how often, CHIRP_TEST_SEED what happens.
func TestNothingIsLostOrDoneTwiceThroughKills(t *testing.T) {
	rounds := fromEnv(t, "CHIRP_TEST_CRASH_ROUNDS", 5)
	seed := fromEnv(t, "CHIRP_TEST_SEED", rand.Uint64())
	t.Logf("CHIRP_TEST_SEED=%d", seed)
	onBothStores(t, func(t *testing.T, p place) {
		url, start := newVictim(t, p)
		server := start()
		ready(t, url())
		users := registerAll(t, url(), "ann", "bob", "cid", "dot", "eve", "viewer")
		viewer := users[len(users)-1]
		setUp := len(followAndPost(t, viewer.at(url()), users[:3], url()))
		l := &load{users: users, url: url}
		watch := startWatch(t, viewer, url)

		l.run(t, 8, seed, func() {
			random := rand.New(rand.NewPCG(seed, 1<<32))
			for range rounds {
				server = killAndRestart(t, random, server, start, l)
			}
			enough := l.acknowledged() + 50
			eventually(t, "the load goes on after the last kill", func() bool { return l.acknowledged() >= enough || t.Failed() })
		})
		server.terminate(t)
		feed := checkEnd(t, p, l, watch, setUp, start)
		t.Logf("%d kills: %d mutations acknowledged, %d sends repeated, %d chirps watched over %d connections",
			rounds, len(l.facts), l.repeats.Load(), len(feed), watch.connections.Load())
	})
}

// checkEnd compares, after all servers have stopped and with one started
// again, the log, every feed, and the watched feed with what was acknowledged
// and with the oracle; chirp verify has the last word. The last user of the
// load is the one whose feed is watched; setUp says how many events came
// between the registrations and the load. It gives the watched feed.
func checkEnd(t testing.TB, p place, l *load, watch *watch, setUp int, start func() *process) []string {
	t.Helper()
	events := p.events(t)
	url := start().url
	feeds := checkFeeds(t, url, l.users, events)
	viewer := l.users[len(l.users)-1].ID
	watch.check(t, feeds[viewer])
	facts := factsOf(t, events, domain.Position(2*len(l.users))) // after the registrations
	checkFacts(t, slices.Concat(facts[:setUp], l.facts), facts)
	for _, u := range l.users {
		if got, want := feeds[u.ID], feedOf(slices.Concat(facts[:setUp], inOrder(l.facts)), u.ID); !slices.Equal(got, want) {
			t.Errorf("feed of %s: got %d chirps, want %d as acknowledged", u.Username, len(got), len(want))
		}
	}
	verify, _ := spawn(t, nil, slices.Concat([]string{"verify"}, p.args)...)
	if code := verify.exit(t); code != 0 {
		t.Errorf("chirp verify: exit code %d, want 0:\n%s", code, verify.log.String())
	}
	return feeds[viewer]
}

func fromEnv(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	return must(strconv.ParseUint(text, 10, 64))(t)
}

// newVictim gives what starts a server on a place, and what tells where the
// latest one is. A low threshold makes celebrities come and go; flags may set
// another.
func newVictim(t testing.TB, p place, flags ...string) (url func() string, start func() *process) {
	var latest atomic.Pointer[string]
	start = func() *process {
		server := launch(t, p, append([]string{"--celebrity-threshold", "3"}, flags...)...)
		latest.Store(&server.url)
		return server
	}
	return func() string { return *latest.Load() }, start
}

// followAndPost makes a user follow others, and gives the user's feed a first
// chirp, from which it can be watched. It gives the positions of the events.
func followAndPost(t testing.TB, as api, others []user, url string) []string {
	t.Helper()
	var positions []string
	for _, u := range others {
		positions = append(positions, must(as.follow(t.Context(), u.ID, ""))(t).Position)
	}
	return append(positions, must(others[0].at(url).post(t.Context(), "the first", ""))(t).Position)
}

// killAndRestart kills a server at a random moment: mostly while it carries
// mutations out, now and then while it is still starting.
func killAndRestart(t testing.TB, random *rand.Rand, server *process, start func() *process, l *load) *process {
	t.Helper()
	if random.IntN(4) > 0 {
		enough := l.acknowledged() + 1 + random.IntN(100)
		eventually(t, "the load goes on", func() bool { return l.acknowledged() >= enough || t.Failed() })
	}
	time.Sleep(time.Duration(random.IntN(100_000)) * time.Microsecond)
	server.kill()
	return start()
}

// watch is a live feed that reconnects with its last cursor whenever its
// connection ends.
type watch struct {
	connections atomic.Int64
	mu          sync.Mutex
	got         []edge
	end         context.CancelFunc
	ended       sync.WaitGroup
}

// startWatch watches a user's feed from its newest chirp on.
func startWatch(t testing.TB, viewer user, url func() string) *watch {
	t.Helper()
	as := viewer.at(url())
	var newest []edge
	eventually(t, "the feed has its first chirp", func() bool {
		newest = must(as.page(t.Context(), 1, ""))(t).Edges
		return len(newest) == 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{got: newest, end: cancel}
	w.ended.Go(func() {
		for ctx.Err() == nil {
			if err := w.connect(ctx, viewer.at(url())); code(err) != "NO ANSWER" && code(err) != "UNAVAILABLE" && ctx.Err() == nil {
				t.Errorf("watch the feed: %v", err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); w.ended.Wait() })
	return w
}

// connect watches over one connection, until it ends.
func (w *watch) connect(ctx context.Context, as api) error {
	s, err := as.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	defer context.AfterFunc(ctx, s.close)()
	w.connections.Add(1)
	if err := s.subscribe("feed", feedAddedDocument, vars{"after": w.edges()[w.count()-1].Cursor}); err != nil {
		return err
	}
	for {
		e, err := s.nextEdge("feed")
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.got = append(w.got, e)
		w.mu.Unlock()
	}
}

func (w *watch) edges() []edge {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

func (w *watch) count() int { return len(w.edges()) }

// check waits until as much was watched as a feed has, and compares the two.
// The feed is newest first.
func (w *watch) check(t testing.TB, feed []string) {
	t.Helper()
	eventually(t, "the live feed is as long as the feed", func() bool { return w.count() >= len(feed) || t.Failed() })
	w.end()
	w.ended.Wait()
	got := ids(w.edges())
	slices.Reverse(got)
	if !slices.Equal(got, feed) {
		t.Errorf("live feed: got %d chirps (twice: %v), want the %d of the feed; the first difference is at %d",
			len(got), duplicates(got), len(feed), firstDifference(got, feed))
	}
}
