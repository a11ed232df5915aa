package e2e

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

	"chirp/internal/apitest"
	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
)

// TestNothingIsLostOrDoneTwiceThroughKills kills a server again and again
// while clients send it mutations and repeat those that were not answered.
// CHIRP_TEST_CRASH_ROUNDS is the number of kills, and CHIRP_TEST_SEED decides what
// happens.
func TestNothingIsLostOrDoneTwiceThroughKills(t *testing.T) {
	rounds := fromEnv(t, "CHIRP_TEST_CRASH_ROUNDS", 5)
	seed := fromEnv(t, "CHIRP_TEST_SEED", rand.Uint64())
	t.Logf("CHIRP_TEST_SEED=%d", seed)
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		url, start := newVictim(t, p)
		server := start()
		apitest.Ready(t, url())
		users := apitest.RegisterAll(t, url(), "ann", "bob", "cid", "dot", "eve", "viewer")
		viewer := users[len(users)-1]
		setUp := len(followAndPost(t, viewer.At(url()), users[:3], url()))
		l := &load{users: users, url: url}
		watch := startWatch(t, viewer, url)

		l.run(t, 8, seed, func() {
			random := rand.New(rand.NewPCG(seed, 1<<32))
			for range rounds {
				server = killAndRestart(t, random, server, start, l)
			}
			enough := l.acknowledged() + 50
			apitest.Eventually(t, "the load continues after the last kill", func() bool { return l.acknowledged() >= enough || t.Failed() })
		})
		server.Terminate(t)
		feed := checkEnd(t, p, l, watch, setUp, start)
		t.Logf("%d kills: %d mutations acknowledged, %d sends repeated, %d chirps watched over %d connections",
			rounds, len(l.facts), l.repeats.Load(), len(feed), watch.connections.Load())
	})
}

// checkEnd starts a server again after all have stopped, and compares the log,
// every feed, and the watched feed with what was acknowledged and with the
// oracle. It also runs chirp verify. The last user of the load is the one whose
// feed is watched; setUp is the number of events between the registrations and
// the load. It returns the watched feed.
func checkEnd(t testing.TB, p apitest.Place, l *load, watch *watch, setUp int, start func() *apitest.Process) []string {
	t.Helper()
	events := p.Events(t)
	url := start().URL
	feeds := checkFeeds(t, url, l.users, events)
	viewer := l.users[len(l.users)-1].ID
	watch.check(t, feeds[viewer])
	facts := factsOf(t, events, domain.Position(2*len(l.users))) // after the registrations
	checkFacts(t, slices.Concat(facts[:setUp], l.facts), facts)
	var acknowledged projectortest.Oracle
	for _, f := range slices.Concat(facts[:setUp], inOrder(l.facts)) {
		acknowledged.Add(f.position, time.Time{}, f.event())
	}
	for _, u := range l.users {
		if got, want := feeds[u.ID], feedOf(acknowledged, u.ID); !slices.Equal(got, want) {
			t.Errorf("feed of %s: got %d chirps, want %d as acknowledged", u.Username, len(got), len(want))
		}
	}
	verify, _ := apitest.Spawn(t, nil, slices.Concat([]string{"verify"}, p.Args)...)
	if code := verify.Exit(t); code != 0 {
		t.Errorf("chirp verify: exit code %d, want 0:\n%s", code, verify.Log.String())
	}
	return feeds[viewer]
}

func fromEnv(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	return apitest.Must(strconv.ParseUint(text, 10, 64))(t)
}

// newVictim returns a func that starts a server on a place, and one that returns
// the URL of the latest. A low threshold makes celebrities come and go; flags may
// set another.
func newVictim(t testing.TB, p apitest.Place, flags ...string) (url func() string, start func() *apitest.Process) {
	var latest atomic.Pointer[string]
	start = func() *apitest.Process {
		server := apitest.Launch(t, p, append([]string{"--celebrity-threshold", "3"}, flags...)...)
		latest.Store(&server.URL)
		return server
	}
	return func() string { return *latest.Load() }, start
}

// followAndPost makes a user follow others, the first of whom posts, so that the
// user's feed can be watched from there. It returns the positions of the events.
func followAndPost(t testing.TB, as apitest.API, others []apitest.User, url string) []string {
	t.Helper()
	var positions []string
	for _, u := range others {
		positions = append(positions, apitest.Must(as.Follow(t.Context(), u.ID, ""))(t).Position)
	}
	return append(positions, apitest.Must(others[0].At(url).Post(t.Context(), "the first", ""))(t).Position)
}

// killAndRestart kills a server at a random moment: usually while it executes
// mutations, sometimes while it is still starting.
func killAndRestart(t testing.TB, random *rand.Rand, server *apitest.Process, start func() *apitest.Process, l *load) *apitest.Process {
	t.Helper()
	if random.IntN(4) > 0 {
		enough := l.acknowledged() + 1 + random.IntN(100)
		apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
	}
	time.Sleep(time.Duration(random.IntN(100_000)) * time.Microsecond)
	server.Kill()
	return start()
}

// watch is a live feed that reconnects with its last cursor whenever its
// connection ends.
type watch struct {
	connections atomic.Int64
	mu          sync.Mutex
	got         []apitest.Edge
	end         context.CancelFunc
	ended       sync.WaitGroup
}

// startWatch watches a user's feed from its newest chirp on.
func startWatch(t testing.TB, viewer apitest.User, url func() string) *watch {
	t.Helper()
	as := viewer.At(url())
	var newest []apitest.Edge
	apitest.Eventually(t, "the feed has its first chirp", func() bool {
		newest = apitest.Must(as.Page(t.Context(), 1, ""))(t).Edges
		return len(newest) == 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{got: newest, end: cancel}
	w.ended.Go(func() {
		for ctx.Err() == nil {
			if err := w.connect(ctx, viewer.At(url())); apitest.Code(err) != "NO ANSWER" && apitest.Code(err) != "UNAVAILABLE" && ctx.Err() == nil {
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
func (w *watch) connect(ctx context.Context, as apitest.API) error {
	s, err := as.Connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, s.Close)()
	w.connections.Add(1)
	if err := s.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": w.edges()[w.count()-1].Cursor}); err != nil {
		return err
	}
	for {
		e, err := s.NextEdge("feed")
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.got = append(w.got, e)
		w.mu.Unlock()
	}
}

func (w *watch) edges() []apitest.Edge {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

func (w *watch) count() int { return len(w.edges()) }

// check waits until the watch has as many chirps as the feed, and compares the
// two. The feed is newest first.
func (w *watch) check(t testing.TB, feed []string) {
	t.Helper()
	apitest.Eventually(t, "the live feed is as long as the feed", func() bool { return w.count() >= len(feed) || t.Failed() })
	w.end()
	w.ended.Wait()
	got := ids(w.edges())
	slices.Reverse(got)
	if !slices.Equal(got, feed) {
		t.Errorf("live feed: got %d chirps (twice: %v), want the %d of the feed; the first difference is at %d",
			len(got), duplicates(got), len(feed), firstDifference(got, feed))
	}
}
