package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"chirp/graph/api"
	"chirp/graph/guard"
	"chirp/graph/transport"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/query"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang bounds what must happen soon; nothing is judged by it but a hang.
const hang = 30 * time.Second

// world is the API over stores in memory, with a projector and a hub running.
type world struct {
	t        testing.TB
	log      *memoryLog
	views    *spyViews
	commands *command.Handler
	hub      *subscription.Hub
	tokens   *auth.Tokens
	handler  *transport.Handler
	server   *httptest.Server
	logged   *buffer
	skew     atomic.Int64 // added to the tokens' clock
	broken   atomic.Bool  // makes that clock panic
	slow     atomic.Pointer[issuer]
	stop     func() // ends projector and hub
}

// buffer is a bytes.Buffer for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// issuer is one that answers late whether a token is good.
type issuer struct{ asked, answers chan struct{} }

// newWorld starts a world. change may alter the API's config.
func newWorld(t testing.TB, change ...func(*api.Config)) *world {
	t.Helper()
	return newWorldOf(t, api.New, change...)
}

// newWorldOf starts a world with a handler that build makes.
func newWorldOf(t testing.TB, build func(api.Config) *transport.Handler, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &memoryLog{}, views: &spyViews{Store: readmodeltest.NewMemory()}, logged: &buffer{}}
	now := func() time.Time {
		if w.broken.Load() {
			panic(secret)
		}
		if i := w.slow.Load(); i != nil {
			i.asked <- struct{}{}
			<-i.answers
		}
		return time.Now().Add(time.Duration(w.skew.Load()))
	}
	tokens, err := auth.NewTokens([]byte("a secret of at least 32 bytes, ok"), now)
	if err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens
	authenticator := auth.Authenticator{Credentials: &memoryCredentials{}, Passwords: auth.NewPasswords(2), Tokens: tokens}
	newID := func() [16]byte { return uuid.Must(uuid.NewV7()) }
	w.commands = &command.Handler{Events: w.log, Now: time.Now, NewID: newID,
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil }}
	queries := &query.Service{Views: w.views, Head: w.head, Hashes: w.log.Hashes}
	w.hub = subscription.New(subscription.Config{Log: w.log, Views: w.views, Queries: queries})
	w.start()
	cfg := api.Config{
		Commands: &command.Handler{Events: w.log, Now: time.Now, NewID: newID, SaveCredential: authenticator.Save},
		Queries:  queries, Hub: w.hub, Auth: authenticator, Guard: guard.Config{Introspection: true},
		Logger: slog.New(slog.NewTextHandler(w.logged, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	w.handler = build(cfg)
	w.server = httptest.NewServer(w.handler)
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	if err := w.handler.Drain(ctx, "the test is over"); err != nil {
		w.t.Error(err)
	}
	w.server.CloseClientConnections()
	w.server.Close()
	w.stop()
	if open := w.views.open.Load(); open != 0 {
		w.t.Errorf("%d snapshots are still open, want 0", open)
	}
}

func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p := projector.New(projector.Config{Log: w.log, Views: w.views, Threshold: 50, Holder: "test"})
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	running.Go(func() { _ = w.hub.Run(ctx) })
	if _, err := w.views.Await(ctx, -1); err != nil {
		w.t.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
}

func (w *world) head(ctx context.Context) (domain.Position, error) {
	head, err := w.log.Head(ctx)
	return head.Position, err
}

// person is a user with a token.
type person struct {
	id    domain.UserID
	name  string
	token string
}

// person makes a user, without a password.
func (w *world) person(name string) person {
	w.t.Helper()
	r, err := w.commands.RegisterUser(context.Background(), command.RegisterUser{Username: name, Password: "no matter"})
	if err != nil {
		w.t.Fatal(err)
	}
	return person{id: r.User.ID, name: name, token: w.token(r.User.ID)}
}

func (w *world) token(id domain.UserID) string {
	w.t.Helper()
	token, err := w.tokens.Issue(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) post(p person, content string) command.Posted {
	w.t.Helper()
	posted, err := w.commands.PostChirp(context.Background(), command.PostChirp{Author: p.id, Content: content})
	if err != nil {
		w.t.Fatal(err)
	}
	return posted
}

func (w *world) follow(follower, followee person) {
	w.t.Helper()
	_, err := w.commands.FollowUser(context.Background(), command.FollowUser{Follower: follower.id, Followee: string(followee.id)})
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer is what the API answered.
type answer struct {
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Locations  []any          `json:"locations"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`

	status int
	header http.Header
	body   string
}

// code is the code of the first error, empty if there is none.
func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// at follows a path of field names and indices into the data.
func at(v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) at(path string) any { return at(any(a.Data), path) }

// list gives the values at a path inside each element of a list.
func (a answer) list(list, path string) []any {
	elements, _ := a.at(list).([]any)
	values := make([]any, len(elements))
	for i, e := range elements {
		values[i] = at(e, path)
	}
	return values
}

// ask sends an operation by POST. It reads after all that was written.
func (w *world) ask(token, operation string, variables map[string]any) answer {
	w.t.Helper()
	head, _ := w.head(context.Background())
	return w.send(token, operation, variables, http.Header{"Chirp-Read-After": {head.String()}})
}

// send sends an operation by POST with headers.
func (w *world) send(token, operation string, variables map[string]any, header http.Header) answer {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": operation, "variables": variables})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, w.server.URL, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	response, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(body)}
	if err := json.Unmarshal(body, &a); err != nil {
		w.t.Fatalf("answer %d %.200q: %v", a.status, body, err)
	}
	checkPaths(w.t, a.body)
	return a
}

// must is ask for what must succeed.
func (w *world) must(token, operation string, variables map[string]any) answer {
	w.t.Helper()
	a := w.ask(token, operation, variables)
	if len(a.Errors) > 0 {
		w.t.Fatalf("%s\ngot errors %+v", operation, a.Errors)
	}
	return a
}
