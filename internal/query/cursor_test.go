package query_test

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel/readmodeltest"
)

// history returns the hash of the event at a position of a log, and whether there
// is one.
type history func(domain.Position) (event domain.EventHash, found bool)

func (h history) hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	found := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		if event, is := h(p); is {
			found[p] = event
		}
	}
	return found, nil
}

// upTo returns the history of a log that ends at a position.
func upTo(head domain.Position) history {
	return func(p domain.Position) (domain.EventHash, bool) { return hash(p), p > 0 && p <= head }
}

func hash(p domain.Position) domain.EventHash { return domain.EventHash(p * 0x1234567) }

// readerOf returns a Reader of empty views of a log.
func readerOf(t testing.TB, epoch string, h history) *query.Reader {
	t.Helper()
	store := readmodeltest.NewMemory()
	if _, err := store.Serving(context.Background(), epoch, 1); err != nil {
		t.Fatal(err)
	}
	return open(t, &query.Service{Views: store, Hashes: h.hashes}, 0)
}

func TestCursor(t *testing.T) {
	r := readerOf(t, "one", upTo(math.MaxInt64))
	again := readerOf(t, "one", upTo(math.MaxInt64))
	for _, p := range []domain.Position{1, 2, 255, 256, 1 << 40, math.MaxInt64} {
		c := r.Cursor(p, hash(p))
		if got, err := r.ParseCursor(t.Context(), c); err != nil || got != p {
			t.Errorf("parse the cursor of %d: got %d, %v", p, got, err)
		}
		if got := again.Cursor(p, hash(p)); got != c {
			t.Errorf("another Reader's cursor of %d: got %q, want %q", p, got, c)
		}
	}
}

func TestCursorRefused(t *testing.T) {
	r := readerOf(t, "one", upTo(10))
	good := r.Cursor(10, hash(10))
	tests := map[string]struct{ cursor, why string }{
		"another log's":              {readerOf(t, "two", upTo(10)).Cursor(10, hash(10)), "not issued by this server"},
		"of another history":         {r.Cursor(10, hash(9)), "before a backup was restored"},
		"without an event":           {r.Cursor(10, 0), "before a backup was restored"},
		"beyond the head":            {r.Cursor(11, hash(11)), "beyond the end of the log"},
		"position 0":                 {r.Cursor(0, 0), "not issued"},
		"a negative position":        {r.Cursor(-1, hash(-1)), "not issued"},
		"of an earlier version":      {base64.RawURLEncoding.EncodeToString(slices.Concat([]byte{1}, make([]byte, 16))), "earlier version"},
		"of a later version":         {base64.RawURLEncoding.EncodeToString(slices.Concat([]byte{3}, make([]byte, 24))), "not issued"},
		"empty":                      {"", "not issued"},
		"too short":                  {good[:len(good)-1], "not issued"},
		"too long":                   {good + "A", "not issued"},
		"padded":                     {good + "=", "not issued"},
		"with a line end":            {good[:5] + "\n" + good[5:], "not issued"},
		"a line end for a character": {good[:5] + "\n" + good[6:], "not issued"},
		"no base64":                  {strings.Repeat("!", len(good)), "not issued"},
		"a number":                   {"10", "not issued"},
		"huge":                       {strings.Repeat(good, 1000), "not issued"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := r.ParseCursor(t.Context(), test.cursor)
			wantKind(t, err, domain.CursorInvalid)
			if p != 0 || err == nil || !strings.Contains(err.Error(), test.why) || !strings.Contains(err.Error(), "start again without it") || len(err.Error()) > 200 {
				t.Errorf("got %d, %v; want no position, the reason %q and what to do, in at most 200 bytes", p, err, test.why)
			}
		})
	}
	t.Run("altered in any character", func(t *testing.T) {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for i := range good {
			for _, c := range alphabet {
				altered := good[:i] + string(c) + good[i+1:]
				if p, err := r.ParseCursor(t.Context(), altered); altered != good && err == nil {
					t.Fatalf("%q was parsed as position %d", altered, p)
				}
			}
		}
	})
}

// Neither an outage nor a log that is behind the views proves a cursor invalid.
func TestCursorThatCannotBeCheckedIsNotRefused(t *testing.T) {
	away := errors.New("away")
	w := newWorld(t)
	w.register()
	s := w.service()
	r := open(t, s, 0)
	cursor := w.cursor(r, 1)
	if p, err := r.ParseCursor(t.Context(), cursor); err != nil || p != 1 {
		t.Errorf("ParseCursor: got %d, %v; want 1", p, err)
	}
	s.Hashes = upTo(0).hashes
	_, err := open(t, s, 0).ParseCursor(t.Context(), cursor)
	wantKind(t, err, domain.Unavailable)
	s.Hashes = func(context.Context, []domain.Position) (map[domain.Position]domain.EventHash, error) {
		return nil, away
	}
	if _, err := open(t, s, 0).ParseCursor(t.Context(), cursor); !errors.Is(err, away) {
		t.Errorf("ParseCursor without the log: got %v, want %v", err, away)
	}
}

func FuzzParseCursor(f *testing.F) {
	r := readerOf(f, "one", upTo(math.MaxInt64))
	for _, s := range []string{"", r.Cursor(1, hash(1)), r.Cursor(-1, 0), r.Cursor(math.MaxInt64, hash(math.MaxInt64)), r.Cursor(7, hash(7)) + "\n", "AAAAAAAAAAAAAAAAAAAAAAA", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := r.ParseCursor(t.Context(), s)
		switch {
		case err != nil && (p != 0 || domain.KindOf(err) != domain.CursorInvalid):
			t.Errorf("%q: got %d and the error %v", s, p, err)
		case err == nil && (p < 1 || r.Cursor(p, hash(p)) != s):
			t.Errorf("%q: got position %d, whose cursor is %q", s, p, r.Cursor(p, hash(p)))
		}
	})
}
