package e2e

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestSoak sends a mixed load through two servers and checks that their numbers of
// goroutines and open files and their memory don't grow. It runs for
// CHIRP_TEST_SOAK_MINUTES, or twenty seconds.
func TestSoak(t *testing.T) {
	lasts := time.Duration(fromEnv(t, "CHIRP_TEST_SOAK_MINUTES", 0)) * time.Minute
	if lasts == 0 {
		lasts = 20 * time.Second
	}
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	urls, starts := [2]func() string{}, [2]func() *apitest.Process{}
	servers := [2]*apitest.Process{}
	for i := range servers {
		// About as many followers as each user has in the end.
		urls[i], starts[i] = newVictim(t, p, "--celebrity-threshold", "13")
		servers[i] = starts[i]()
		apitest.Ready(t, servers[i].URL)
	}
	either := func() string { return urls[rand.IntN(2)]() }
	users := apitest.RegisterAll(t, urls[0](), numbered("soaker", 24)...)
	viewer := users[len(users)-1]
	setUp := len(followAndPost(t, viewer.At(urls[0]()), users[:3], urls[1]()))
	// Without a rest, users who post and follow each other all the time would keep
	// the store busy with larger and larger backfills.
	l := &load{users: users, url: either, rest: 100 * time.Millisecond}
	watch := startWatch(t, viewer, either)

	var early, late [2]holdings
	l.run(t, 8, rand.Uint64(), func() {
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() { readAndReconnect(t, users, either, stop) })
		}
		time.Sleep(lasts / 4)
		early = [2]holdings{holdingsOf(t, servers[0].Ops), holdingsOf(t, servers[1].Ops)}
		time.Sleep(lasts - lasts/4)
		late = [2]holdings{holdingsOf(t, servers[0].Ops), holdingsOf(t, servers[1].Ops)}
		close(stop)
		readers.Wait()
	})
	for i := range servers {
		t.Logf("server %d after a quarter: %+v; at the end: %+v", i, early[i], late[i])
		late[i].checkFlat(t, early[i])
		servers[i].Terminate(t)
	}
	feed := checkEnd(t, p, l, watch, setUp, starts[0])
	t.Logf("%d mutations in %s, %d sends repeated, %d chirps watched", len(l.facts), lasts, l.repeats.Load(), len(feed))
}

// readAndReconnect reads feeds, and opens sockets that it closes without a close
// frame.
func readAndReconnect(t testing.TB, users []apitest.User, url func() string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		as := users[rand.IntN(len(users))].At(url())
		if _, err := as.Page(t.Context(), 20, ""); err != nil {
			t.Errorf("read a feed: %v", err)
			return
		}
		s, err := as.Connect(t.Context())
		if err != nil {
			t.Errorf("connect: %v", err)
			return
		}
		if err := s.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{}); err != nil {
			t.Errorf("subscribe: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
		s.Close()
	}
}

// holdings are what a process holds.
type holdings struct {
	Goroutines, Files float64
	MemoryMiB         float64
}

func holdingsOf(t testing.TB, ops string) holdings {
	t.Helper()
	_, body, err := apitest.Probe(t.Context(), ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		lines := strings.Split(body, "\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") })
		if i < 0 {
			t.Fatalf("/metrics has no %s", name)
		}
		return apitest.Must(strconv.ParseFloat(strings.TrimPrefix(lines[i], name+" "), 64))(t)
	}
	return holdings{value("go_goroutines"), value("process_open_fds"), value("process_resident_memory_bytes") / (1 << 20)}
}

// checkFlat checks that the holdings have hardly grown: what happens to be under
// way differs.
func (h holdings) checkFlat(t testing.TB, early holdings) {
	t.Helper()
	if h.Goroutines > early.Goroutines*1.5+50 {
		t.Errorf("goroutines: got %g at the end, %g early on", h.Goroutines, early.Goroutines)
	}
	if h.Files > early.Files*1.5+30 {
		t.Errorf("open files: got %g at the end, %g early on", h.Files, early.Files)
	}
	if h.MemoryMiB > early.MemoryMiB*1.5+50 {
		t.Errorf("memory: got %g MiB at the end, %g MiB early on", h.MemoryMiB, early.MemoryMiB)
	}
}
