package query_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel/readmodeltest"
)

// readerOf opens a reading of empty views of a log with the head given.
func readerOf(t testing.TB, epoch string, head func() (domain.Position, error)) *query.Reader {
	t.Helper()
	store := readmodeltest.NewMemory()
	if _, err := store.Serving(context.Background(), epoch, 1); err != nil {
		t.Fatal(err)
	}
	s := &query.Service{Views: store, Head: func(context.Context) (domain.Position, error) { return head() }}
	return open(t, s, 0)
}

func headAt(p domain.Position) func() (domain.Position, error) {
	return func() (domain.Position, error) { return p, nil }
}

func TestCursor(t *testing.T) {
	r := readerOf(t, "one", headAt(math.MaxInt64))
	again := readerOf(t, "one", headAt(math.MaxInt64))
	for _, p := range []domain.Position{1, 2, 255, 256, 1 << 40, math.MaxInt64} {
		c := r.Cursor(p)
		if got, err := r.ParseCursor(t.Context(), c); err != nil || got != p {
			t.Errorf("the cursor of %d gave %d, %v", p, got, err)
		}
		if got := again.Cursor(p); got != c {
			t.Errorf("another reading gave the cursor %q for %d, want %q", got, p, c)
		}
	}
}

func TestCursorRefused(t *testing.T) {
	r := readerOf(t, "one", headAt(10))
	good := r.Cursor(10)
	tests := map[string]string{
		"another log's":              readerOf(t, "two", headAt(10)).Cursor(10),
		"beyond the head":            r.Cursor(11),
		"position 0":                 r.Cursor(0),
		"a negative position":        r.Cursor(-1),
		"empty":                      "",
		"too short":                  good[:len(good)-1],
		"too long":                   good + "A",
		"padded":                     good + "=",
		"with a line end":            good[:5] + "\n" + good[5:],
		"a line end for a character": good[:5] + "\n" + good[6:],
		"no base64":                  strings.Repeat("!", len(good)),
		"a number":                   "10",
		"huge":                       strings.Repeat(good, 1000),
	}
	for name, cursor := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := r.ParseCursor(t.Context(), cursor)
			wantKind(t, err, domain.CursorInvalid)
			if p != 0 || err == nil || !strings.Contains(err.Error(), "start again without it") || len(err.Error()) > 200 {
				t.Errorf("got %d, %v; want no position and what to do, shortly", p, err)
			}
		})
	}
	t.Run("altered in any character", func(t *testing.T) {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for i := range good {
			for _, c := range alphabet {
				altered := good[:i] + string(c) + good[i+1:]
				if p, err := r.ParseCursor(t.Context(), altered); altered != good && err == nil {
					t.Fatalf("%q was taken for position %d", altered, p)
				}
			}
		}
	})
}

func TestCursorNeedsTheHeadOnlyBeyondTheCheckpoint(t *testing.T) {
	away := errors.New("away")
	w := newWorld(t)
	w.register()
	s := &query.Service{Views: w.store, Head: func(context.Context) (domain.Position, error) { return 0, away }}
	r := open(t, s, 0)
	if p, err := r.ParseCursor(t.Context(), r.Cursor(1)); err != nil || p != 1 {
		t.Errorf("a cursor at the checkpoint gave %d, %v", p, err)
	}
	if _, err := r.ParseCursor(t.Context(), r.Cursor(2)); !errors.Is(err, away) {
		t.Errorf("a cursor beyond it gave %v, want %v", err, away)
	}
}

func FuzzParseCursor(f *testing.F) {
	r := readerOf(f, "one", headAt(math.MaxInt64))
	for _, s := range []string{"", r.Cursor(1), r.Cursor(-1), r.Cursor(math.MaxInt64), r.Cursor(7) + "\n", "AAAAAAAAAAAAAAAAAAAAAAA", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := r.ParseCursor(t.Context(), s)
		switch {
		case err != nil && (p != 0 || domain.KindOf(err) != domain.CursorInvalid):
			t.Errorf("%q gave %d and the error %v", s, p, err)
		case err == nil && (p < 1 || r.Cursor(p) != s):
			t.Errorf("%q gave position %d, whose cursor is %q", s, p, r.Cursor(p))
		}
	})
}
