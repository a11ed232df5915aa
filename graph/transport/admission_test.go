package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/graph/transport"
	"chirp/internal/eventstore"
)

// blocked executes operations that last until the test ends them.
type blocked struct {
	begun chan struct{}
	end   chan struct{}
	cost  int
	logIn bool
}

func newBlocked() blocked { return blocked{begun: make(chan struct{}, 1000), end: make(chan struct{})} }

func (b blocked) CreateOperationContext(context.Context, *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	oc := &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: ast.Query}}
	if b.logIn {
		field := &ast.Field{Name: "logIn", ObjectDefinition: &ast.Definition{Name: "Mutation"}}
		oc.Operation = &ast.OperationDefinition{Operation: ast.Mutation, SelectionSet: ast.SelectionSet{field}}
	}
	oc.Stats.SetExtension("ComplexityLimit", &extension.ComplexityStats{Complexity: b.cost})
	return oc, nil
}

func (b blocked) DispatchOperation(ctx context.Context, _ *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	return func(context.Context) *graphql.Response {
		if b.logIn {
			request.Away(ctx, func() {}) // as for a hash
		}
		b.begun <- struct{}{}
		<-b.end
		return &graphql.Response{Data: []byte(`{}`)}
	}, ctx
}

func (blocked) DispatchError(context.Context, gqlerror.List) *graphql.Response { return nil }

// blockedHandler returns a handler whose operations are blocked. The address of a
// request is that of its connection.
func blockedHandler(b blocked, l transport.Limits) *transport.Handler {
	present := func(_ context.Context, err error) *gqlerror.Error { return gqlerror.Wrap(err) }
	service := transport.NewService(transport.Config{Executor: b, Present: present, Limiter: &guard.Limiter{}, Limits: l})
	return transport.NewHandler(service, transport.ForwardedIP(nil), nil)
}

// post sends a body from an address.
func post(h http.Handler, address string, body io.Reader, size int) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = int64(size)
	r.RemoteAddr = address + ":1"
	r.Header.Set("Content-Type", "application/json")
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	return got
}

const typename = `{"query":"{ __typename }"}`

func TestAnAddressDoesNotTakeAllTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlocked()
		h := blockedHandler(b, transport.Limits{Executing: 4})
		var requests sync.WaitGroup
		for range 100 {
			requests.Go(func() { post(h, "192.0.2.1", strings.NewReader(typename), len(typename)) })
		}
		synctest.Wait()
		if n := len(b.begun); n != 3 {
			t.Errorf("%d of the address's operations are executed, want 3 of 4", n)
		}
		requests.Go(func() {
			if got := post(h, "192.0.2.2", strings.NewReader(typename), len(typename)); got.Code != http.StatusOK {
				t.Errorf("another address: got %d %s, want 200", got.Code, got.Body)
			}
		})
		synctest.Wait()
		if n := len(b.begun); n != 4 {
			t.Errorf("%d operations are executed, want that of another address too", n)
		}
		close(b.end)
		requests.Wait()
	})
}

func TestExpensiveOperationsTakeMorePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlocked()
		b.cost = 5_000 // 6 places
		h := blockedHandler(b, transport.Limits{Executing: 16})
		var requests sync.WaitGroup
		for range 20 {
			requests.Go(func() { post(h, "192.0.2.1", strings.NewReader(typename), len(typename)) })
		}
		synctest.Wait()
		if n := len(b.begun); n != 2 {
			t.Errorf("%d of an address's expensive operations are executed, want 2", n)
		}
		close(b.end)
		requests.Wait()
		if n := len(b.begun); n != 20 {
			t.Errorf("%d have been executed, want all 20", n)
		}
	})
}

// Log-ins from however many addresses keep no other operation waiting.
func TestLogInsTakeNoTurnsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlocked()
		b.logIn = true
		h := blockedHandler(b, transport.Limits{Executing: 8})
		var logIns sync.WaitGroup
		for i := range 100 {
			logIns.Go(func() { post(h, fmt.Sprintf("192.0.2.%d", i), strings.NewReader(typename), len(typename)) })
		}
		synctest.Wait()
		if n := len(b.begun); n != 2 {
			t.Errorf("%d log-ins are executed, want 2 of 8 places", n)
		}
		for _, g := range h.Gates() {
			if g.Name == "operations" && g.Inside+g.Waiting > 0 {
				t.Errorf("log-ins take %d turns of other operations, and %d wait for one, want none", g.Inside, g.Waiting)
			}
		}
		close(b.end)
		logIns.Wait()
	})
}

func TestLargeBodiesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 200 << 10
		b := newBlocked()
		close(b.end)
		h := blockedHandler(b, transport.Limits{Receiving: 1 << 20}) // 256 KiB for an address
		large := typename + strings.Repeat(" ", size-len(typename))
		arriving, sender := io.Pipe()
		var requests sync.WaitGroup
		requests.Go(func() { post(h, "192.0.2.1", arriving, size) })
		synctest.Wait()
		if got := post(h, "192.0.2.1", strings.NewReader(large), size); got.Code == http.StatusOK {
			t.Errorf("a second body from the address: got %d %s, want it refused after it has waited", got.Code, got.Body)
		}
		for name, c := range map[string]struct{ address, body string }{
			"a small one from the address": {"192.0.2.1", typename},
			"one from another address":     {"192.0.2.2", large},
		} {
			if got := post(h, c.address, strings.NewReader(c.body), len(c.body)); got.Code != http.StatusOK {
				t.Errorf("%s: got %d %s, want 200", name, got.Code, got.Body)
			}
		}
		requests.Go(func() {
			if got := post(h, "192.0.2.1", strings.NewReader(large), size); got.Code != http.StatusOK {
				t.Errorf("one that waits: got %d %s, want 200", got.Code, got.Body)
			}
		})
		synctest.Wait()
		_, _ = io.WriteString(sender, large)
		_ = sender.Close()
		requests.Wait()
	})
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a request that is refused was read")
	return 0, io.EOF
}

// wasteful is a request of 250 kB whose query does not validate.
var wasteful = `{"query":"{ nothing }","variables":{"x":[` + strings.Repeat("1,", 125_000) + `1]}}`

func TestWhatIsNotDecodedIsRefusedUnread(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		decoded := 0
		for range 20 {
			got := post(w.Handler, "192.0.2.1", strings.NewReader(wasteful), len(wasteful))
			if got.Code == http.StatusTooManyRequests {
				break
			}
			decoded++
		}
		if decoded < 1 || decoded > 10 {
			t.Errorf("%d of 20 were decoded, want those for which there is a budget", decoded)
		}
		for name, size := range map[string]int{"a length": len(wasteful), "no length": -1} {
			got := post(w.Handler, "192.0.2.1", unread{t}, size)
			if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "RATE_LIMITED") {
				t.Errorf("with %s: got %d %s, want 429 RATE_LIMITED and when to try again", name, got.Code, got.Body)
			}
		}
		if got := post(w.Handler, "192.0.2.2", strings.NewReader(typename), len(typename)); got.Code != http.StatusOK {
			t.Errorf("another address: got %d %s, want 200", got.Code, got.Body)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 0.1 }) // enough for one in 2.5 s
}

func TestRequestsThatFailAreCharged(t *testing.T) {
	for name, body := range map[string]func(i int) string{
		"no JSON":                   func(int) string { return "nonsense" },
		"no query":                  func(int) string { return "{}" },
		"a document does not parse": func(i int) string { return fmt.Sprintf(`{"query":"{ %s %d"}`, strings.Repeat("a ", 1000), i) },
		"a document is not valid":   func(i int) string { return fmt.Sprintf(`{"query":"{ a%d }"}`, i) },
		"a persisted query that is unknown": func(i int) string {
			return fmt.Sprintf(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"%064d"}}}`, i)
		},
		"wrong variables": func(int) string {
			return `{"query":"query($id: ID!) { node(id: $id) { id } }","variables":{"id":[]}}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
				for i := range 200 {
					if got := post(w.Handler, "192.0.2.1", strings.NewReader(body(i)), len(body(i))); got.Code == http.StatusTooManyRequests {
						return
					}
				}
				t.Error("none of 200 requests was refused for its rate")
			}, func(c *api.Config) { c.Guard.RateLimit = 0.1 })
		})
	}
}

// TestRefusalsComeLate floods a server that refuses everything.
func TestRefusalsComeLate(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		begun := time.Now()
		var floods sync.WaitGroup
		for range 50 {
			floods.Go(func() {
				for range 20 {
					post(w.Handler, "192.0.2.1", strings.NewReader(typename), len(typename))
				}
			})
		}
		floods.Wait()
		if took := time.Since(begun); took < 20*time.Second {
			t.Errorf("1,000 requests took %s, want them held back", took)
		}
		begun = time.Now()
		post(w.Handler, "192.0.2.2", strings.NewReader(typename), len(typename))
		if took := time.Since(begun); took > 0 {
			t.Errorf("another address waited %s, want no wait", took)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 0.2 })
}

// TestAReadThatWaitsKeepsNoOneWaiting waits for a position that does not become
// visible, on a server that executes one operation at a time.
func TestAReadThatWaitsKeepsNoOneWaiting(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		w.Must("", `{ user(username: "ada") { id } }`, nil)
		w.Stop() // nothing becomes visible any more
		posted := w.Post(ada, "not visible")
		var reading sync.WaitGroup
		reading.Go(func() {
			got := w.Send(ada.Token, `{ viewer { id } }`, nil, http.Header{"Chirp-Read-After": {fmt.Sprint(posted.Position)}})
			if got.Code() != "NOT_YET_VISIBLE" {
				t.Errorf("a read of what is not visible: got %s, want NOT_YET_VISIBLE", got.Body)
			}
		})
		synctest.Wait()
		begun := time.Now()
		if got := w.Send(ada.Token, `{ viewer { id } }`, nil, nil); got.Code() != "" {
			t.Errorf("another read: got %s, want an answer", got.Body)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("another read waited %s, want no wait", took)
		}
		reading.Wait()
	}, func(c *api.Config) { c.Transport.Executing = 1 })
}

// stuckLog is a log whose appends wait until the test ends them.
type stuckLog struct {
	eventstore.Log
	begun atomic.Int64
	end   chan struct{}
}

func (l *stuckLog) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	l.begun.Add(1)
	<-l.end
	return l.Log.Append(ctx, a)
}

// The mutations of many clients at one address are committed together, although few
// operations of the address are executed at once, and keep no reads waiting.
func TestMutationsThatWaitForTheLogKeepNoOneWaiting(t *testing.T) {
	log := &stuckLog{}
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		const posts = 20
		var posting sync.WaitGroup
		for range posts {
			posting.Go(func() { w.Must(ada.Token, `mutation { postChirp(input: {content: "x"}) { position } }`, nil) })
		}
		synctest.Wait()
		if n := log.begun.Load(); n != posts {
			t.Errorf("%d mutations wait for the log, want %d", n, posts)
		}
		begun := time.Now()
		w.Must(ada.Token, `{ viewer { id } }`, nil)
		if took := time.Since(begun); took > 0 {
			t.Errorf("a read waited %s, want no wait", took)
		}
		close(log.end)
		posting.Wait()
	}, func(c *api.Config) {
		c.Transport.Executing = 1
		log.Log, log.end = c.Commands.Events, make(chan struct{})
		c.Commands.Events = log
	})
}

// A large mutation keeps its places while it waits for the log, because they stand for the
// memory that it holds.
func TestLargeMutationsThatWaitForTheLogAreBounded(t *testing.T) {
	log := &stuckLog{}
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		body := fmt.Sprintf(`{"query": "mutation { postChirp(input: {content: \"x\"}) { position } }", "extensions": {"x": %q}}`, strings.Repeat("x", 100_000)) // 2 places
		var posting sync.WaitGroup
		for i := range 8 {
			ada := w.Person(fmt.Sprint("ada", i))
			posting.Go(func() { w.ServeBody(ada.Token, body) })
		}
		synctest.Wait()
		if n := log.begun.Load(); n != 6 {
			t.Errorf("%d large mutations of an address wait for the log, want 6, which have 12 of 16 places", n)
		}
		close(log.end)
		posting.Wait()
	}, func(c *api.Config) {
		c.Transport.Executing = 16
		log.Log, log.end = c.Commands.Events, make(chan struct{})
		c.Commands.Events = log
	})
}

// A body of unknown length is paid for once it is read. The one who cannot pay waits
// for the refusal, and does not count as one who is received meanwhile.
func TestRefusedBodiesKeepNoOthersWaiting(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		send := func() graphtest.Answer {
			body := io.MultiReader(strings.NewReader(`{"query":"{ __typename }"}`), strings.NewReader(strings.Repeat(" ", 120<<10)))
			r, err := http.NewRequest(http.MethodPost, w.Server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			return w.Do(r)
		}
		var many sync.WaitGroup
		for range 60 { // from now on refusals are held back
			many.Go(func() { send() })
		}
		many.Wait()
		time.Sleep(1500 * time.Millisecond) // for a budget that has enough for a part of the body
		done := make(chan graphtest.Answer, 1)
		go func() { done <- send() }()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("the refusal was not held back")
		}
		if bodies := w.Gate("bodies"); bodies.Inside > 0 {
			t.Errorf("%d KiB are being received while the refusal is held back, want none", bodies.Inside)
		}
		if got := <-done; got.Code() != "RATE_LIMITED" {
			t.Errorf("the body that is not paid for got %.200s, want RATE_LIMITED", got.Body)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 1 })
}
