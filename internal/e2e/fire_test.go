package e2e

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestNothingIsLostOrDoneTwiceUnderFire runs two servers on a replica set of
// three nodes and, under load, kills and suspends nodes and servers. In the end
// everything acknowledged must be there once, feeds must be exact, and a live
// feed that reconnects by cursor, to either server, must have got exactly its
// feed. CHIRP_TEST_FIRE_ROUNDS is the number of misfortunes, CHIRP_TEST_SEED
// decides which, and CHIRP_TEST_FIRE_OUTAGE is for how many seconds there is no
// majority.
func TestNothingIsLostOrDoneTwiceUnderFire(t *testing.T) {
	rounds := fromEnv(t, "CHIRP_TEST_FIRE_ROUNDS", 6)
	seed := fromEnv(t, "CHIRP_TEST_SEED", rand.Uint64())
	t.Logf("CHIRP_TEST_SEED=%d", seed)
	f := &fire{
		set:    mongotest.StartReplicaSet(t, 3),
		random: rand.New(rand.NewPCG(seed, 1<<33)),
		outage: time.Duration(fromEnv(t, "CHIRP_TEST_FIRE_OUTAGE", 3)) * time.Second,
	}
	p := apitest.OnMongoDB(f.set.URI(), "chirp")
	for i := range f.servers {
		f.url[i], f.start[i] = newVictim(t, p)
		f.servers[i] = f.start[i]()
		apitest.Ready(t, f.url[i]())
	}
	users := apitest.RegisterAll(t, f.url[0](), "ann", "bob", "cid", "dot", "eve", "viewer")
	viewer := users[len(users)-1]
	setUp := len(followAndPost(t, viewer.At(f.url[0]()), users[:3], f.url[1]()))
	l := &load{users: users, url: f.either}
	watch := startWatch(t, viewer, f.either)

	l.run(t, 8, seed, func() {
		for i := range rounds {
			misfortune := f.misfortunes()[int(i)%len(f.misfortunes())]
			began := time.Now()
			misfortune.strike(t)
			enough := l.acknowledged() + 20
			apitest.Eventually(t, "the load continues after: "+misfortune.name, func() bool { return l.acknowledged() >= enough || t.Failed() })
			t.Logf("%s: %d mutations acknowledged, %d sends repeated; the load went on %s after the beginning",
				misfortune.name, l.acknowledged(), l.repeats.Load(), time.Since(began).Round(time.Millisecond))
		}
	})
	for _, s := range f.servers {
		s.Terminate(t)
	}
	feed := checkEnd(t, p, l, watch, setUp, f.start[0])
	t.Logf("%d rounds: %d mutations acknowledged, %d sends repeated, %d chirps watched over %d connections",
		rounds, len(l.facts), l.repeats.Load(), len(feed), watch.connections.Load())
}

// fire is two servers on a replica set, and the misfortunes that strike them.
type fire struct {
	set     *mongotest.ReplicaSet
	servers [2]*apitest.Process
	start   [2]func() *apitest.Process
	url     [2]func() string
	random  *rand.Rand // of the one goroutine that strikes
	outage  time.Duration
}

// either returns the URL of one of the servers, whether or not it is alive.
func (f *fire) either() string { return f.url[rand.IntN(len(f.url))]() }

type misfortune struct {
	name   string
	strike func(t testing.TB)
}

// misfortunes returns all that can happen. Each is undone when strike returns.
func (f *fire) misfortunes() []misfortune {
	return []misfortune{
		{"the primary is killed", f.killPrimary},
		{"the active projector's server is killed", f.killActive},
		{"the primary steps down twice", func(t testing.TB) { f.set.StepDown(t); f.set.StepDown(t) }},
		{"the active projector's server is suspended for longer than its lease", f.suspendActive},
		{"the primary and the active projector's server are killed", func(t testing.TB) { f.killActive(t); f.killPrimary(t) }},
		{"a majority of the nodes is killed", f.killMajority},
	}
}

func (f *fire) killPrimary(t testing.TB) {
	primary := f.set.Primary(t)
	primary.Kill()
	f.sleep(time.Second)
	primary.Restart(t)
}

func (f *fire) killMajority(t testing.TB) {
	two := f.random.Perm(len(f.set.Nodes))[:2]
	for _, i := range two {
		f.set.Nodes[i].Kill()
	}
	time.Sleep(f.outage)
	for _, i := range two {
		f.set.Nodes[i].Restart(t)
	}
}

// killActive kills the server that projects, so that the other must take over.
func (f *fire) killActive(t testing.TB) {
	i := f.active(t)
	f.servers[i].Kill()
	f.sleep(time.Second)
	f.servers[i] = f.start[i]()
}

// suspendActive suspends the server that projects for longer than its lease. The
// server then continues as if it still had the lease.
func (f *fire) suspendActive(t testing.TB) {
	i := f.active(t)
	if err := f.servers[i].Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	apitest.Eventually(t, "the other server takes over", func() bool { return f.projects(t, 1-i) })
	f.sleep(time.Second)
	if err := f.servers[i].Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// active waits until one of the servers projects, and returns its index.
func (f *fire) active(t testing.TB) int {
	t.Helper()
	found := 0
	apitest.Eventually(t, "one of the servers projects", func() bool {
		for i := range f.servers {
			if f.projects(t, i) {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

func (f *fire) projects(t testing.TB, i int) bool {
	_, body, err := apitest.Probe(t.Context(), f.servers[i].Ops+"/metrics")
	return err == nil && strings.Contains(body, `chirp_projector_phase{phase="active"} 1`)
}

// sleep sleeps for a random time.
func (f *fire) sleep(most time.Duration) { time.Sleep(time.Duration(f.random.Int64N(int64(most)))) }
