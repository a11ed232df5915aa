package e2e

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestLostHistoryIsCaughtUpByPosition suspends a server that has a live feed
// open, until the database has dropped the changes that the server did not see
// from its oplog. The server must find them in the log.
func TestLostHistoryIsCaughtUpByPosition(t *testing.T) {
	set := mongotest.StartReplicaSet(t, 1, "--oplogSize", "1")
	p := apitest.OnMongoDB(set.URI(), "chirp")
	suspendedURL, startSuspended := newVictim(t, p)
	suspended := startSuspended()
	apitest.Ready(t, suspended.URL)
	busyURL, startBusy := newVictim(t, p)
	busy := startBusy()
	apitest.Ready(t, busy.URL)
	users := apitest.RegisterAll(t, busy.URL, "ann", "bob", "cid", "dot", "eve", "viewer")
	viewer := users[len(users)-1]
	setUp := len(followAndPost(t, viewer.At(busy.URL), users[:3], busy.URL))
	watch := startWatch(t, viewer, suspendedURL)
	apitest.Eventually(t, "the live feed is open", func() bool { return watch.connections.Load() > 0 })

	if err := suspended.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	l := &load{users: users, url: busyURL, pad: strings.Repeat("lost ", 40)}
	l.run(t, 8, rand.Uint64(), func() {
		for deadline := time.Now().Add(5 * apitest.Patience); !set.OldestChange(t).After(since); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) || t.Failed() {
				t.Error("the database has not forgotten the changes since the server was suspended")
				break
			}
		}
		if err := suspended.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		enough := watch.count() + 50
		apitest.Eventually(t, "the live feed continues", func() bool { return watch.count() >= enough || t.Failed() })
	})
	apitest.Ready(t, suspended.URL)
	suspended.Terminate(t)
	busy.Terminate(t)
	feed := checkEnd(t, p, l, watch, setUp, startSuspended)
	t.Logf("%d mutations while the server was suspended for %s; %d chirps watched", len(l.facts), time.Since(since).Round(time.Second), len(feed))
}

// TestNothingIsLostOrDoneTwiceOnABadNetwork has the server reach its database
// through a proxy that cuts, stalls and half-closes connections,
// CHIRP_TEST_FIRE_ROUNDS times.
func TestNothingIsLostOrDoneTwiceOnABadNetwork(t *testing.T) {
	rounds := fromEnv(t, "CHIRP_TEST_FIRE_ROUNDS", 6)
	seed := fromEnv(t, "CHIRP_TEST_SEED", rand.Uint64())
	t.Logf("CHIRP_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1<<34))
	node := mongotest.StartReplicaSet(t, 1).Nodes[0]
	bad := startProxy(t, node.Addr())
	p := apitest.OnMongoDB("mongodb://"+bad.addr+"/?directConnection=true", "chirp")
	url, start := newVictim(t, p)
	server := start()
	apitest.Ready(t, url())
	users := apitest.RegisterAll(t, url(), "ann", "bob", "cid", "dot", "eve", "viewer")
	viewer := users[len(users)-1]
	setUp := len(followAndPost(t, viewer.At(url()), users[:3], url()))
	l := &load{users: users, url: url}
	watch := startWatch(t, viewer, url)

	l.run(t, 8, seed, func() {
		for i := range rounds {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			[]func(){bad.cut, bad.halfClose, func() { bad.stall(time.Duration(random.IntN(8000)) * time.Millisecond) }}[i%3]()
			enough := l.acknowledged() + 20
			apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
		}
	})
	server.Terminate(t)
	feed := checkEnd(t, p, l, watch, setUp, start)
	t.Logf("%d rounds: %d mutations acknowledged, %d sends repeated, %d chirps watched over %d connections",
		rounds, len(l.facts), l.repeats.Load(), len(feed), watch.connections.Load())
}

// proxy forwards connections to an address, with the faults that a test sets.
type proxy struct {
	addr  string
	to    string
	mu    sync.Mutex
	gate  sync.RWMutex // held while everything stalls
	conns map[*net.TCPConn]bool
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	listener := apitest.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	p := &proxy{addr: listener.Addr().String(), to: to, conns: map[*net.TCPConn]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	var open sync.WaitGroup
	open.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { p.pass(ctx, near.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		p.cut()
		open.Wait()
	})
	return p
}

// pass connects a connection with one to the server, until either ends.
func (p *proxy) pass(ctx context.Context, near *net.TCPConn) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.to)
	if err != nil {
		near.Close()
		return
	}
	far := conn.(*net.TCPConn)
	p.mu.Lock()
	p.conns[near], p.conns[far] = true, true
	p.mu.Unlock()
	var ways sync.WaitGroup
	ways.Go(func() { p.copy(far, near) })
	ways.Go(func() { p.copy(near, far) })
	ways.Wait()
	p.mu.Lock()
	delete(p.conns, near)
	delete(p.conns, far)
	p.mu.Unlock()
	near.Close()
	far.Close()
}

func (p *proxy) copy(to, from *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.gate.RLock()
		p.gate.RUnlock() //nolint:staticcheck // it waits while everything stalls
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				_ = from.CloseRead()
				return
			}
		}
		if err != nil {
			if err != io.EOF { //nolint:errorlint // Read returns it unwrapped
				to.Close()
			}
			_ = to.CloseWrite()
			return
		}
	}
}

// each calls do for every open connection.
func (p *proxy) each(do func(*net.TCPConn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		do(c)
	}
}

// cut resets all connections.
func (p *proxy) cut() {
	p.each(func(c *net.TCPConn) {
		_ = c.SetLinger(0)
		c.Close()
	})
}

// halfClose closes one direction of every second connection.
func (p *proxy) halfClose() {
	n := 0
	p.each(func(c *net.TCPConn) {
		if n++; n%2 == 0 {
			_ = c.CloseWrite()
		}
	})
}

// stall forwards nothing for a while.
func (p *proxy) stall(d time.Duration) {
	p.gate.Lock()
	defer p.gate.Unlock()
	time.Sleep(d)
}
