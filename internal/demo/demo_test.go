package demo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/command"
	"chirp/internal/demo"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite"
)

// world is an empty store with a command handler whose clock stands still.
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

// told returns the time and the contents of an event.
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

func TestFillRefusesAStoreWithOtherEvents(t *testing.T) {
	for name, before := range map[string][]command.RegisterUser{
		"of another":                         {{Username: "Ann", Password: "a password"}},
		"of one with a name of the demo's":   {{Username: "HarbourBell", Password: "a password"}, {Username: "Ann", Password: "a password"}},
		"of a user who used its command ids": {{Meta: command.Meta{CommandID: "demo/register"}, Username: "Ann", Password: "a password"}},
		"where the second name is taken":     {{Meta: command.Meta{CommandID: "demo/register"}, Username: "HarbourBell", Password: "a password"}, {Username: "Maren_K", Password: "a password"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Commands.SaveCredential = w.cfg.SaveCredential
			for _, c := range before {
				if _, err := w.cfg.Commands.RegisterUser(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			n := len(w.events())
			_, err := demo.Fill(t.Context(), w.cfg)
			if domain.KindOf(err) != domain.Conflict || !strings.Contains(err.Error(), "leave --demo out") || len(w.events()) != n {
				t.Errorf("got error %v and %d events, want a conflict and %d", err, len(w.events()), n)
			}
		})
	}
}

func TestFillContinuesTheDemoInTheStore(t *testing.T) {
	w := newWorld(t)
	w.fill()
	before := len(w.events())
	w.cfg.Commands.Now = func() time.Time { return now.Add(100 * time.Hour) }
	for range 2 {
		w.fill()
	}
	if after := len(w.events()); after != before || len(w.passwords) != 25 {
		t.Errorf("got %d events and %d passwords, want %d and 25", after, len(w.passwords), before)
	}
}

// failing is a log that fails after some appends, as if the process were killed
// before the next one.
type failing struct {
	eventstore.Log
	left int
}

var errKilled = errors.New("killed")

func (f *failing) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if f.left--; f.left < 0 {
		return eventstore.Commit{}, errKilled
	}
	return f.Log.Append(ctx, a)
}

func TestFillResumesAfterAnInterruption(t *testing.T) {
	whole := newWorld(t)
	whole.fill()
	want := facts(whole.events())
	for _, cuts := range [][]int{{1}, {2, 3}, {24}, {25, 1, 1}, {60, 150}, {300}, {len(want) - 26}} {
		t.Run(fmt.Sprint(cuts), func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Commands.Now = func() time.Time { return now }
			for _, appends := range cuts {
				cfg := w.cfg
				cfg.Commands = &command.Handler{Events: &failing{w.log, appends}, Now: w.cfg.Commands.Now, NewID: w.cfg.Commands.NewID}
				if _, err := demo.Fill(t.Context(), cfg); !errors.Is(err, errKilled) && appends < len(want)-26 {
					t.Fatalf("Fill: got error %v, want it killed", err)
				}
				w.cfg.Commands.Now = func() time.Time { return now.Add(3 * time.Hour) }
			}
			w.fill()
			if got := facts(w.events()); !slices.Equal(got, want) {
				t.Errorf("got %d facts, want the %d of a filling in one go, at the same times", len(got), len(want))
			}
			w.fill()
			if got := len(w.events()); got != len(want) {
				t.Errorf("got %d events after another start, want %d", got, len(want))
			}
		})
	}
}

// facts returns who did what, and when, without the ids, which depend on how often
// Fill was called.
func facts(events []eventstore.Event) []string {
	names, told := map[string]string{}, make([]string, len(events))
	for i, e := range events {
		event, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			return nil
		}
		if u, ok := event.(domain.UserRegistered); ok {
			names[string(u.UserID)] = string(u.Username)
		}
		told[i] = fmt.Sprint(e.RecordedAt, e.Type, names[e.Actor], e.CommandID)
	}
	slices.Sort(told)
	return told
}

func TestFillResumesTheDemoOfAnOlderVersion(t *testing.T) {
	whole, w := newWorld(t), newWorld(t)
	whole.fill()
	var older []eventstore.Event
	for _, e := range whole.events() {
		e.CommandID = uuid.NewString()
		older = append(older, e)
	}
	w.restore(older)
	n := w.fill()
	if got := len(w.events()); got != len(older) {
		t.Errorf("got %d events, want the %d that were there", got, len(older))
	}
	ctx, end := context.WithCancel(t.Context())
	n.Pause = func(_ context.Context, posted int) {
		if posted == 3 {
			end()
		}
	}
	if err := n.Run(ctx); err != nil || len(w.events()) != len(older)+3 {
		t.Errorf("Run: got error %v and %d events, want 3 more", err, len(w.events()))
	}
}

// restore appends events as they are.
func (w *world) restore(events []eventstore.Event) {
	w.Helper()
	for _, e := range events {
		head, err := w.log.Load(w.Context(), e.Stream)
		if err != nil {
			w.Fatal(err)
		}
		_, err = w.log.Append(w.Context(), eventstore.Append{
			Events:     []eventstore.NewEvent{{Stream: e.Stream, Type: e.Type, Data: e.Data}},
			Expected:   eventstore.Versions{e.Stream: int64(len(head))},
			Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: e.Actor, ID: e.CommandID}, Fingerprint: "x"},
			RecordedAt: e.RecordedAt,
		})
		if err != nil {
			w.Fatal(err)
		}
	}
}

func TestTheFirstPostsComeSoon(t *testing.T) {
	w := newWorld(t)
	n := w.fill()
	began := time.Now()
	n.Pause(t.Context(), 0)
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the first post came after %s, want it within the first seconds", took)
	}
}

// Each pause ends immediately, and the last one ends the demo.
func TestRunKeepsPosting(t *testing.T) {
	w := newWorld(t)
	ctx, end := context.WithCancel(t.Context())
	pauses := 0
	w.cfg.Pause = func(context.Context, int) {
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
