// Package graphtest runs the API over stores in memory, for the tests of the packages
// below graph, and has clients for all its transports.
package graphtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/graph/api"
	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/graph/transport"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/gate"
	"chirp/internal/projector"
	"chirp/internal/query"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/subscription"
)

// Hang is the timeout for what must happen soon. It is long, because only a hang should
// exceed it.
const Hang = 30 * time.Second

// World is the API over stores in memory, with a projector and a hub running.
type World struct {
	T           testing.TB
	Log         *memoryLog
	Views       *spyViews
	Commands    *command.Handler
	Hub         *subscription.Hub
	tokens      *auth.Tokens
	sessions    *auth.Sessions
	Handler     *transport.Handler
	Server      *httptest.Server
	dial        func(ctx context.Context, network, address string) (net.Conn, error) // nil for TCP
	Logged      *buffer
	ClockSkew   atomic.Int64 // added to the clock of the tokens
	ClockPanics atomic.Bool  // makes that clock panic
	SlowIssuer  atomic.Pointer[Issuer]
	Stop        func() // stops projector and hub
}

// buffer is a bytes.Buffer that is safe for concurrent use.
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

// Issuer is a token issuer that responds only when the test lets it.
type Issuer struct{ Asked, Answers chan struct{} }

// Secret is the value of every panic in tests, which no response may show.
const Secret = "a bug at 10.0.0.1"

// New starts a world, which ends with the test. change may change the API's config.
func New(t testing.TB, change ...func(*api.Config)) *World {
	t.Helper()
	return NewWith(t, api.New, change...)
}

// NewWith is New with a handler that build makes.
func NewWith(t testing.TB, build func(api.Config) *transport.Handler, change ...func(*api.Config)) *World {
	t.Helper()
	w := newWorld(t, build, change...)
	w.Server = httptest.NewServer(w.Handler)
	t.Cleanup(w.close)
	return w
}

// newWorld returns a world without a server.
func newWorld(t testing.TB, build func(api.Config) *transport.Handler, change ...func(*api.Config)) *World {
	t.Helper()
	w := &World{T: t, Log: &memoryLog{Memory: eventstoretest.NewMemory()}, Views: &spyViews{Store: readmodeltest.NewMemory()}, Logged: &buffer{}}
	now := func() time.Time {
		if w.ClockPanics.Load() {
			panic(Secret)
		}
		if i := w.SlowIssuer.Load(); i != nil {
			i.Asked <- struct{}{}
			<-i.Answers
		}
		return time.Now().Add(time.Duration(w.ClockSkew.Load()))
	}
	tokens, err := auth.NewTokens([]byte("a secret of at least 32 bytes, ok"), now)
	if err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens
	credentials := newMemoryCredentials()
	w.sessions = auth.NewSessions(credentials, tokens, nil)
	authenticator := auth.Authenticator{Credentials: credentials, Passwords: auth.NewPasswords(2), Tokens: tokens, Sessions: w.sessions}
	newID := func() [16]byte { return uuid.Must(uuid.NewV7()) }
	w.Commands = &command.Handler{Events: w.Log, Now: time.Now, NewID: newID,
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil }}
	queries := &query.Service{Views: w.Views, Head: w.Head, Hashes: w.Log.Hashes, Consult: guard.Consult, Read: guard.ChargeRows, Away: request.Away,
		Cache: query.NewCache(1 << 20)}
	w.Hub = subscription.New(subscription.Config{Log: w.Log, Views: w.Views, Queries: queries})
	w.start()
	cfg := api.Config{
		Commands: &command.Handler{Events: w.Log, Now: time.Now, NewID: newID, SaveCredential: authenticator.Save},
		Queries:  queries, Hub: w.Hub, Auth: authenticator, Guard: guard.Config{Introspection: true},
		Logger: slog.New(slog.NewTextHandler(w.Logged, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	w.Handler = build(cfg)
	return w
}

func (w *World) close() {
	ctx, cancel := context.WithTimeout(context.Background(), Hang)
	defer cancel()
	if err := w.Handler.Drain(ctx, "the test is over"); err != nil {
		w.T.Error(err)
	}
	w.Server.CloseClientConnections()
	w.Server.Close()
	w.Stop()
	if open := w.Views.Open.Load(); open != 0 {
		w.T.Errorf("%d snapshots are still open, want 0", open)
	}
}

func (w *World) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p := projector.New(projector.Config{Log: w.Log, Views: w.Views, Threshold: 50, Holder: "test"})
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	running.Go(func() { _ = w.Hub.Run(ctx) })
	running.Go(func() { _ = w.sessions.Run(ctx) })
	if _, err := w.Views.Await(ctx, -1); err != nil {
		w.T.Fatal(err)
	}
	w.Stop = sync.OnceFunc(func() { cancel(); running.Wait() })
}

// Head returns the position of the last event.
func (w *World) Head(ctx context.Context) (domain.Position, error) {
	head, err := w.Log.Head(ctx)
	return head.Position, err
}

// Person is a user with a token.
type Person struct {
	ID    domain.UserID
	name  string
	Token string
}

// Person registers a user without a password.
func (w *World) Person(name string) Person {
	w.T.Helper()
	r, err := w.Commands.RegisterUser(context.Background(), command.RegisterUser{Username: name, Password: "no matter"})
	if err != nil {
		w.T.Fatal(err)
	}
	return Person{ID: r.User.ID, name: name, Token: w.Token(r.User.ID)}
}

// Gate returns the numbers of a gate at which requests wait.
func (w *World) Gate(name string) gate.Stats {
	w.T.Helper()
	for _, g := range w.Handler.Gates() {
		if g.Name == name {
			return g
		}
	}
	w.T.Fatalf("there is no gate %q", name)
	return gate.Stats{}
}

// Token returns a token for a user.
func (w *World) Token(id domain.UserID) string {
	w.T.Helper()
	token, err := w.tokens.Issue(auth.Bearer{User: id})
	if err != nil {
		w.T.Fatal(err)
	}
	return token
}

// Expiring returns a token that expires after a time.
func (w *World) Expiring(p Person, in time.Duration) string {
	w.ClockSkew.Store(int64(in - auth.TokenLifetime))
	defer w.ClockSkew.Store(0)
	return w.Token(p.ID)
}

// Post posts a chirp.
func (w *World) Post(p Person, content string) command.Posted {
	w.T.Helper()
	posted, err := w.Commands.PostChirp(context.Background(), command.PostChirp{Author: p.ID, Content: content})
	if err != nil {
		w.T.Fatal(err)
	}
	return posted
}

// Follow makes a user follow another.
func (w *World) Follow(follower, followee Person) {
	w.T.Helper()
	_, err := w.Commands.FollowUser(context.Background(), command.FollowUser{Follower: follower.ID, Followee: string(followee.ID)})
	if err != nil {
		w.T.Fatal(err)
	}
}

// WaitForFeeds waits until n feed subscriptions are open and live.
func (w *World) WaitForFeeds(n int) {
	w.T.Helper()
	w.Eventually(fmt.Sprintf("%d live feeds", n), func() bool {
		s := w.Hub.Stats()
		return s.Feeds == n && (n == 0 || s.Authors > 0)
	})
}

// Eventually waits until is returns true.
func (w *World) Eventually(what string, is func() bool) {
	w.T.Helper()
	for end := time.Now().Add(Hang); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("still no %s: %+v", what, w.Hub.Stats())
		}
	}
}
