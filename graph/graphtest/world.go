package graphtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

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

// Hang bounds what must happen soon; nothing is judged by it but a hang.
const Hang = 30 * time.Second

// World is the API over stores in memory, with a projector and a hub running.
type World struct {
	T        testing.TB
	Log      *memoryLog
	Views    *spyViews
	Commands *command.Handler
	Hub      *subscription.Hub
	tokens   *auth.Tokens
	Handler  *transport.Handler
	Server   *httptest.Server
	Logged   *buffer
	Skew     atomic.Int64 // added to the tokens' clock
	Broken   atomic.Bool  // makes that clock panic
	Slow     atomic.Pointer[Issuer]
	Stop     func() // ends projector and hub
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

// Issuer is one that answers late whether a token is good.
type Issuer struct{ Asked, Answers chan struct{} }

// Secret is in every panic here, and must be in no answer.
const Secret = "a bug at 10.0.0.1"

// newWorld starts a world. change may alter the API's config.
func New(t testing.TB, change ...func(*api.Config)) *World {
	t.Helper()
	return NewOf(t, api.New, change...)
}

// newWorldOf starts a world with a handler that build makes.
func NewOf(t testing.TB, build func(api.Config) *transport.Handler, change ...func(*api.Config)) *World {
	t.Helper()
	w := &World{T: t, Log: &memoryLog{}, Views: &spyViews{Store: readmodeltest.NewMemory()}, Logged: &buffer{}}
	now := func() time.Time {
		if w.Broken.Load() {
			panic(Secret)
		}
		if i := w.Slow.Load(); i != nil {
			i.Asked <- struct{}{}
			<-i.Answers
		}
		return time.Now().Add(time.Duration(w.Skew.Load()))
	}
	tokens, err := auth.NewTokens([]byte("a secret of at least 32 bytes, ok"), now)
	if err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens
	authenticator := auth.Authenticator{Credentials: &memoryCredentials{}, Passwords: auth.NewPasswords(2), Tokens: tokens}
	newID := func() [16]byte { return uuid.Must(uuid.NewV7()) }
	w.Commands = &command.Handler{Events: w.Log, Now: time.Now, NewID: newID,
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil }}
	queries := &query.Service{Views: w.Views, Head: w.Head, Hashes: w.Log.Hashes}
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
	w.Server = httptest.NewServer(w.Handler)
	t.Cleanup(w.close)
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
	if _, err := w.Views.Await(ctx, -1); err != nil {
		w.T.Fatal(err)
	}
	w.Stop = sync.OnceFunc(func() { cancel(); running.Wait() })
}

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

// Person makes a user, without a password.
func (w *World) Person(name string) Person {
	w.T.Helper()
	r, err := w.Commands.RegisterUser(context.Background(), command.RegisterUser{Username: name, Password: "no matter"})
	if err != nil {
		w.T.Fatal(err)
	}
	return Person{ID: r.User.ID, name: name, Token: w.Token(r.User.ID)}
}

func (w *World) Token(id domain.UserID) string {
	w.T.Helper()
	token, err := w.tokens.Issue(id)
	if err != nil {
		w.T.Fatal(err)
	}
	return token
}

// Expiring gives a token that is good for so long.
func (w *World) Expiring(p Person, in time.Duration) string {
	w.Skew.Store(int64(in - auth.TokenLifetime))
	defer w.Skew.Store(0)
	return w.Token(p.ID)
}

func (w *World) Post(p Person, content string) command.Posted {
	w.T.Helper()
	posted, err := w.Commands.PostChirp(context.Background(), command.PostChirp{Author: p.ID, Content: content})
	if err != nil {
		w.T.Fatal(err)
	}
	return posted
}

func (w *World) Follow(follower, followee Person) {
	w.T.Helper()
	_, err := w.Commands.FollowUser(context.Background(), command.FollowUser{Follower: follower.ID, Followee: string(followee.ID)})
	if err != nil {
		w.T.Fatal(err)
	}
}

// WaitForFeeds waits until so many feed subscriptions are open and live.
func (w *World) WaitForFeeds(n int) {
	w.T.Helper()
	w.Eventually(fmt.Sprintf("%d live feeds", n), func() bool {
		s := w.Hub.Stats()
		return s.Feeds == n && (n == 0 || s.Authors > 0)
	})
}

func (w *World) Eventually(what string, is func() bool) {
	w.T.Helper()
	for end := time.Now().Add(Hang); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("still no %s: %+v", what, w.Hub.Stats())
		}
	}
}
