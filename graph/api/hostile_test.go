package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// Bounds of what a hostile request may cost. Most of the memory is for the request
// itself, which has up to ten megabytes. A check that is quadratic in the size of a
// document would take gigabytes or seconds.
const (
	maxAnswer    = 10_000
	maxAllocated = 16 << 20
	maxGrowth    = 8 << 20
)

// serve serves a POST in this goroutine, and measures time and memory.
func serve(w *graphtest.World, body string) (answered *httptest.ResponseRecorder, took time.Duration, allocated uint64) {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	answered = httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	w.Handler.ServeHTTP(answered, r)
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	return answered, took, after.TotalAlloc - before.TotalAlloc
}

// heap returns the heap in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestHostileRequestsAreRefusedQuickly(t *testing.T) {
	w := graphtest.New(t)
	var slowest time.Duration
	var longest int
	var dearest uint64
	for _, c := range corpus() {
		t.Run(c.name, func(t *testing.T) {
			got, took, allocated := serve(w, c.body)
			answer := got.Body.String()
			graphtest.CheckPaths(t, answer)
			if !strings.Contains(answer, `"code":"`+c.code+`"`) || strings.Contains(answer, `"data"`) {
				t.Errorf("got %.500s, want %s and no data", answer, c.code)
			}
			if len(answer) > maxAnswer {
				t.Errorf("the answer has %d bytes, want at most %d", len(answer), maxAnswer)
			}
			if allocated > maxAllocated {
				t.Errorf("the request took %d bytes of memory, want at most %d", allocated, maxAllocated)
			}
			if took > graphtest.Hang {
				t.Errorf("the request took %s", took)
			}
			slowest, longest, dearest = max(slowest, took), max(longest, len(answer)), max(dearest, allocated)
		})
	}
	if logged := w.Logged.String(); logged != "" {
		t.Errorf("the log has %.500s, want nothing", logged)
	}
	t.Logf("%d requests; at worst %s, an answer of %d bytes, %d kB of memory", len(corpus()), slowest, longest, dearest>>10)
}

func TestHostileRequestsLeaveNothingInMemory(t *testing.T) {
	w := graphtest.New(t)
	requests := corpus()
	round := func() int64 {
		for _, c := range requests {
			serve(w, c.body)
		}
		return heap()
	}
	first := round()
	for range 3 {
		round()
	}
	if growth := round() - first; growth > maxGrowth {
		t.Errorf("after four more rounds %d bytes more are in use, want at most %d", growth, maxGrowth)
	}
}

// TestAFloodOfValidDocumentsLeavesLittleInMemory sends different valid documents that
// take as much memory as they can when they are cached.
func TestAFloodOfValidDocumentsLeavesLittleInMemory(t *testing.T) {
	w := graphtest.New(t)
	before := heap()
	for i := range 1000 {
		got, _, _ := serve(w, graphtest.Envelope(fmt.Sprintf(`{ a%d: __typename viewer{%s} }`, i, strings.Repeat("id ", 990)), `{}`))
		if i == 0 && !strings.Contains(got.Body.String(), `"viewer":null`) {
			t.Fatalf("got %s, want an answer", got.Body)
		}
	}
	if growth := heap() - before; growth > 64<<20 {
		t.Errorf("a thousand documents left %d bytes in use, want at most 64 MiB", growth)
	} else {
		t.Logf("a thousand documents left %d kB in use", growth>>10)
	}
}

// during runs attackers while a caller sends requests, and returns the longest time
// that the caller waited.
func during(w *graphtest.World, attack func(ctx context.Context), attackers int) (longest time.Duration) {
	w.T.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range attackers {
		running.Go(func() { attack(ctx) })
	}
	defer running.Wait()
	defer stop()
	ada := w.Person("ada")
	for range 30 {
		start := time.Now()
		if got := w.Ask(ada.Token, `{ viewer { username } }`, nil); got.At("viewer.username") != "ada" {
			w.T.Fatalf("got %s while others attack, want an answer", got.Body)
		}
		longest = max(longest, time.Since(start))
	}
	return longest
}

func TestOthersAreServedWhileDocumentsAttack(t *testing.T) {
	w := graphtest.New(t)
	requests := corpus()
	longest := during(w, func(ctx context.Context) {
		for i := 0; ctx.Err() == nil; i++ {
			serve(w, requests[i%len(requests)].body)
		}
	}, 4)
	t.Logf("a caller waited %s at most", longest)
}

func TestOthersAreServedWhileBodiesComeSlowly(t *testing.T) {
	w := graphtest.New(t)
	before := heap()
	var slow []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", w.Server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 262144\r\n\r\n{")
		slow = append(slow, c)
	}
	longest := during(w, func(ctx context.Context) {
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = slow[i%len(slow)].Write([]byte(" "))
			time.Sleep(time.Millisecond)
		}
	}, 1)
	if growth := heap() - before; growth > maxGrowth {
		t.Errorf("200 slow bodies hold %d bytes, want at most %d", growth, maxGrowth)
	} else {
		t.Logf("a caller waited %s at most; 200 slow bodies hold %d kB", longest, growth>>10)
	}
}

// deadlines is a response whose deadlines a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t; return nil }

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func (d *deadlines) Write(b []byte) (int, error) {
	if d.write.IsZero() {
		return 0, io.ErrClosedPipe
	}
	return d.ResponseRecorder.Write(b)
}

// bounded is a body that can be read while there is a deadline.
type bounded struct {
	io.Reader
	d *deadlines
}

func (b bounded) Read(p []byte) (int, error) {
	if b.d.read.IsZero() {
		return 0, io.ErrClosedPipe
	}
	return b.Reader.Read(p)
}

func TestReadsAndWritesHaveDeadlines(t *testing.T) {
	w := graphtest.New(t)
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/", bounded{strings.NewReader(`{"query":"{ __typename }"}`), d})
	r.Header.Set("Content-Type", "application/json")
	w.Handler.ServeHTTP(d, r)
	if got := d.Body.String(); !strings.Contains(got, `"__typename":"Query"`) {
		t.Errorf("got %q, want an answer, read and written while there was a deadline", got)
	}
	if !d.read.IsZero() || !d.write.IsZero() {
		t.Error("a deadline is left, want the connection to be of use again")
	}
}

func TestOthersAreServedWhileResponsesAreNotRead(t *testing.T) {
	w := graphtest.New(t)
	server := w.NarrowServer(t)
	body := graphtest.Marshal(map[string]any{"query": graphtest.UsualIntrospection})
	for range 50 {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	t.Logf("a caller waited %s at most", during(w, func(context.Context) {}, 0))
}

func TestOthersAreServedWhileSocketsDoNotInitialise(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketInit = 300 * time.Millisecond })
	before := runtime.NumGoroutine()
	var silent []*graphtest.Socket
	for range 100 {
		silent = append(silent, w.Dial(t, nil))
	}
	longest := during(w, func(ctx context.Context) {
		for ctx.Err() == nil { // and some that initialise all the time
			ws, response, err := graphtest.Dialer.Dial("ws"+strings.TrimPrefix(w.Server.URL, "http"), nil)
			if err != nil {
				return
			}
			for range 100 {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init"}`))
			}
			_, _ = ws.Close(), response.Body.Close()
		}
	}, 2)
	for _, c := range silent {
		if code, _ := c.WaitClosed(); code != 4408 {
			t.Fatalf("closed with %d, want 4408", code)
		}
		_ = c.Conn.Close()
	}
	for end := time.Now().Add(graphtest.Hang); runtime.NumGoroutine() > before+20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left, there were %d", runtime.NumGoroutine(), before)
		}
	}
	t.Logf("a caller waited %s at most", longest)
}

func TestOversizedFramesCloseOnlyTheirSocket(t *testing.T) {
	w := graphtest.New(t)
	before := heap()
	for name, frame := range map[string][]byte{
		"a message of a terabyte":       {0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		"a message without an end":      {0x01, 0xfe, 0xff, 0xff, 1, 2, 3, 4},
		"a control frame that is large": {0x89, 0xfe, 0xff, 0xff, 1, 2, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.Dial(t, nil)
			c.Initiate("")
			filler := make([]byte, 64<<10)
			go func() { // until the server closes the connection
				_, err := c.Conn.NetConn().Write(frame)
				for range 64 {
					if err == nil {
						_, err = c.Conn.NetConn().Write(filler)
					}
				}
			}()
			if code, _ := c.WaitEnded(); code != websocket.CloseMessageTooBig && code != websocket.CloseProtocolError && code != 4400 && code != -1 {
				t.Errorf("closed with %d, want it to be refused", code)
			}
		})
	}
	if growth := heap() - before; growth > maxGrowth {
		t.Errorf("%d bytes more are in use, want at most %d", growth, maxGrowth)
	}
	during(w, func(context.Context) {}, 0)
}

func TestOthersAreServedWhilePasswordsAreGuessed(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 1 })
	var mu sync.Mutex
	codes := map[string]int{}
	guess := func() (refused int) {
		answered, _, _ := serve(w, graphtest.Envelope(`mutation { `+manyLogIns(10)+` }`, `{}`))
		mu.Lock()
		defer mu.Unlock()
		for _, code := range []string{"UNAUTHENTICATED", "RATE_LIMITED"} {
			codes[code] += strings.Count(answered.Body.String(), `"`+code+`"`)
		}
		return codes["RATE_LIMITED"]
	}
	longest := during(w, func(ctx context.Context) {
		for tries := 0; ctx.Err() == nil || tries < 10; tries++ { // the others may be done within one guess
			if refused := guess(); ctx.Err() != nil && refused >= 10 {
				return
			}
		}
	}, 4)
	if codes["RATE_LIMITED"] < 10 || codes["UNAUTHENTICATED"] > 10 { // 6 at once, and then at intervals of 2 s, 4 s and so on
		t.Errorf("got %v, want nearly all of the guesses to be RATE_LIMITED", codes)
	}
	t.Logf("a caller waited %s at most; %v", longest, codes)
}

// BenchmarkHostileRequests reports the worst of the corpus: of each request the
// fastest time, because slower ones include other work of the machine.
func BenchmarkHostileRequests(b *testing.B) {
	w := graphtest.New(b)
	requests := corpus()
	fastest := make([]time.Duration, len(requests))
	longest := 0
	var dearest uint64
	before := heap()
	for b.Loop() {
		for i, c := range requests {
			got, took, allocated := serve(w, c.body)
			if fastest[i] == 0 || took < fastest[i] {
				fastest[i] = took
			}
			longest, dearest = max(longest, got.Body.Len()), max(dearest, allocated)
		}
	}
	b.ReportMetric(float64(slices.Max(fastest).Microseconds())/1000, "worst-ms")
	b.ReportMetric(float64(longest), "worst-answer-B")
	b.ReportMetric(float64(dearest>>10), "worst-request-kB")
	b.ReportMetric(float64(max(0, heap()-before)>>10), "growth-kB")
}
