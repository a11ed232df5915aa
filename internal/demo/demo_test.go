package demo_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/command"
	"chirp/internal/demo"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite"
)

// world is an empty store with commands on it, whose clock stands still.
type world struct {
	*testing.T
	log       eventstore.Log
	passwords map[domain.UserID]string
	cfg       demo.Config
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Exclusive: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{T: t, log: store.Log(), passwords: map[domain.UserID]string{}}
	w.cfg = demo.Config{
		Commands: &command.Handler{Events: w.log, Now: func() time.Time { return now }, NewID: func() [16]byte { return uuid.Must(uuid.NewV7()) }},
		SaveCredential: func(_ context.Context, user domain.UserID, password string) error {
			w.passwords[user] = password
			return nil
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) fill() *demo.Network {
	w.Helper()
	n, err := demo.Fill(w.Context(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) events() []eventstore.Event {
	w.Helper()
	events, err := w.log.ReadAll(w.Context(), 0, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	return events
}

// told is what an event says, and when it was.
func told(e eventstore.Event) string {
	return fmt.Sprint(e.RecordedAt, e.Type, e.Stream, string(e.Data), e.Actor)
}

func TestFillIsTheSameEachTime(t *testing.T) {
	one, other := newWorld(t), newWorld(t)
	one.fill()
	other.fill()
	a, b := one.events(), other.events()
	if !slices.EqualFunc(a, b, func(a, b eventstore.Event) bool { return told(a) == told(b) }) {
		t.Errorf("two fillings at the same time differ, of %d and %d events", len(a), len(b))
	}
	if len(one.passwords) != 25 {
		t.Errorf("got %d passwords, want 25", len(one.passwords))
	}
	for user, password := range one.passwords {
		if password != demo.Password {
			t.Errorf("%s has the password %q, want %q", user, password, demo.Password)
		}
	}
}

func TestFillRefusesAStoreThatIsNotEmpty(t *testing.T) {
	w := newWorld(t)
	w.fill()
	before := len(w.events())
	_, err := demo.Fill(t.Context(), w.cfg)
	if domain.KindOf(err) != domain.Conflict || len(w.events()) != before {
		t.Errorf("got error %v and %d events, want a conflict and %d", err, len(w.events()), before)
	}
}

// Each pause of these tests ends at once, and the last one ends the demo.
func TestRunGoesOnPosting(t *testing.T) {
	w := newWorld(t)
	ctx, end := context.WithCancel(t.Context())
	pauses := 0
	w.cfg.Pause = func(context.Context) {
		if pauses++; pauses > 40 {
			end()
		}
	}
	n := w.fill()
	before := len(w.events())
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
	posted, authors := w.events()[before:], map[string]bool{}
	for _, e := range posted {
		authors[e.Actor] = true
		if e.Type != "chirp.posted.v1" || !e.RecordedAt.Equal(now) {
			t.Errorf("got %s at %s, want a chirp now", e.Type, e.RecordedAt)
		}
	}
	if len(posted) != 40 || len(authors) < 10 {
		t.Errorf("got %d chirps by %d people, want 40 by many", len(posted), len(authors))
	}
}
