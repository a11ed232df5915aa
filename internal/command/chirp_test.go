package command_test

import (
	"strings"
	"testing"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

const stranger = domain.UserID("user_01h455vb4pex5vsknk084sn02q")

func TestPostChirpPublishes(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "ann")
	got, err := w.PostChirp(t.Context(), command.PostChirp{Author: ann.ID, Content: " cafe\u0301\r\n! "})
	if err != nil {
		t.Fatal(err)
	}
	want := command.Posted{
		ID: got.ID, Author: ann.ID, Content: "caf\u00e9\n!",
		PostedAt: time.Date(2025, 3, 1, 11, 0, 0, 123_000_000, time.UTC), Position: 3,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := domain.ParseChirpID(string(got.ID)); err != nil {
		t.Error(err)
	}
	e := w.log.all()[2]
	if e.Type != "chirp.posted.v1" || e.Stream != domain.ChirpStream(got.ID) || e.Version != 1 || e.Actor != string(ann.ID) || len(e.CommandID) != 36 {
		t.Errorf("got event %+v, want the chirp in its own stream, by ann, under a UUID", e)
	}
	again, err := w.PostChirp(t.Context(), command.PostChirp{Author: ann.ID, Content: "café\n!"})
	if err != nil || again.ID == got.ID || again.Position != 4 || again.Repeated {
		t.Errorf("PostChirp of the same text: got %+v, error %v; want another chirp", again, err)
	}
}

func TestPostChirpRefuses(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "ann")
	for _, c := range []struct {
		name string
		cmd  command.PostChirp
		kind domain.Kind
	}{
		{"no content", command.PostChirp{Author: ann.ID}, domain.Invalid},
		{"long content", command.PostChirp{Author: ann.ID, Content: strings.Repeat("x", 281)}, domain.Invalid},
		{"an anonymous caller", command.PostChirp{Content: "hi"}, domain.Unauthenticated},
		{"an anonymous caller, under a command id", command.PostChirp{Meta: as("1"), Content: "hi"}, domain.Unauthenticated},
		{"an author of another store", command.PostChirp{Author: stranger, Content: "hi"}, domain.Unauthenticated},
		{"a command id with a newline", command.PostChirp{Meta: as("a\nb"), Author: ann.ID, Content: "hi"}, domain.Invalid},
		{"a command id beyond ASCII", command.PostChirp{Meta: as("zoë"), Author: ann.ID, Content: "hi"}, domain.Invalid},
		{"a command id in invalid UTF-8", command.PostChirp{Meta: as("a\xff"), Author: ann.ID, Content: "hi"}, domain.Invalid},
		{"a command id with DEL", command.PostChirp{Meta: as("a\x7f"), Author: ann.ID, Content: "hi"}, domain.Invalid},
		{"a command id of 65 characters", command.PostChirp{Meta: as(strings.Repeat("x", 65)), Author: ann.ID, Content: "hi"}, domain.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.PostChirp(t.Context(), c.cmd)
			wantKind(t, "PostChirp", err, c.kind)
			w.wantAppended(t, 2)
		})
	}
	if _, err := w.PostChirp(t.Context(), command.PostChirp{Meta: as(strings.Repeat("~", 64)), Author: ann.ID, Content: "hi"}); err != nil {
		t.Errorf("PostChirp with a command id of 64 characters: %v", err)
	}
}

func TestPostChirpRepeated(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "ann")
	first, err := w.PostChirp(t.Context(), command.PostChirp{Meta: as("1"), Author: ann.ID, Content: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	first.Repeated = true
	for name, content := range map[string]string{"as it was": "hi", "with what normalises to the same": " hi\r\n"} {
		got, err := w.newHandler(2).PostChirp(t.Context(), command.PostChirp{Meta: as("1"), Author: ann.ID, Content: content})
		if err != nil || got != first {
			t.Errorf("PostChirp again %s: got %+v, error %v; want %+v", name, got, err, first)
		}
	}
	_, err = w.PostChirp(t.Context(), command.PostChirp{Meta: as("1"), Author: ann.ID, Content: "ho"})
	wantKind(t, "PostChirp of another text under the same id", err, domain.Conflict)
	w.wantAppended(t, 2, "chirp.posted.v1")
}

func TestTwoPeopleMayUseOneCommandID(t *testing.T) {
	w := newWorld()
	ann, bob := w.register(t, "ann"), w.register(t, "bob")
	var ids [2]domain.ChirpID
	for i, author := range []domain.UserID{ann.ID, bob.ID} {
		got, err := w.PostChirp(t.Context(), command.PostChirp{Meta: as("1"), Author: author, Content: "hi"})
		if err != nil || got.Author != author || got.Repeated {
			t.Errorf("PostChirp by %s: got %+v, error %v", author, got, err)
		}
		ids[i] = got.ID
	}
	if ids[0] == ids[1] {
		t.Errorf("got one chirp %s for two people", ids[0])
	}
	w.wantAppended(t, 4, "chirp.posted.v1", "chirp.posted.v1")
}

func TestPostChirpRemembersItsAuthor(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "ann")
	h := w.newHandler(2)
	before := w.log.loads
	for range 3 {
		if _, err := h.PostChirp(t.Context(), command.PostChirp{Meta: as(""), Author: ann.ID, Content: "hi"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.log.loads - before; got != 1 || w.log.lookUps != 0 {
		t.Errorf("got %d loads and %d look-ups for 3 chirps, want 1 load", got, w.log.lookUps)
	}
	for range 2 {
		_, err := h.PostChirp(t.Context(), command.PostChirp{Author: stranger, Content: "hi"})
		wantKind(t, "PostChirp by a stranger", err, domain.Unauthenticated)
	}
	if got := w.log.loads - before; got != 3 {
		t.Errorf("got %d loads, want 3: who is unknown may register yet", got)
	}
}

func TestPostChirpTakesAnotherIDWhenOneIsInUse(t *testing.T) {
	w := newWorld()
	ann := w.register(t, "ann")
	fixed, free := w.newHandler(7), w.newHandler(8)
	id := fixed.NewID()
	fixed.NewID = func() [16]byte { return id }
	first, err := fixed.PostChirp(t.Context(), command.PostChirp{Meta: as("1"), Author: ann.ID, Content: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	w.log.before = func(int, eventstore.Append) error { fixed.NewID = free.NewID; return nil }
	second, err := fixed.PostChirp(t.Context(), command.PostChirp{Meta: as("2"), Author: ann.ID, Content: "ho"})
	if err != nil || second.ID == first.ID || second.Content != "ho" {
		t.Errorf("got %+v, error %v; want a chirp under another id than %s", second, err, first.ID)
	}
}
