package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/graph/transport"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/sqlite"
	"chirp/internal/verify"
)

// newerType is an event of a version of the program that is yet to come.
const newerType = "chirp.posted.v2"

// poison appends an event that this program cannot read, as a newer version of
// it would that shares the store.
func poison(t testing.TB, store storage, author, text string) eventstore.Event {
	t.Helper()
	id := domain.ChirpIDFrom(newID())
	data, err := json.Marshal(map[string]string{"chirpId": string(id), "authorId": author, "content": text, "language": "en"})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := store.Log().Append(t.Context(), eventstore.Append{
		Streams: []eventstore.StreamAppend{{Stream: domain.ChirpStream(id), Events: []eventstore.NewEvent{{Type: newerType, Data: data}}}},
		Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: author, ID: string(id)}, Fingerprint: "newer"}, RecordedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return commit.Events[0]
}

// openToWrite opens a place's store beside its server, or in place of it.
func (p place) openToWrite(t testing.TB, exclusive bool) storage {
	t.Helper()
	var store storage
	var err error
	if p.args[0] == "--data" {
		store, err = sqlite.Open(t.Context(), p.args[1], sqlite.Options{Exclusive: exclusive})
	} else {
		store, err = mongodb.Open(t.Context(), p.args[1], p.args[3], mongodb.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// mended is a store as a program sees it that knows the newer type.
type mended struct{ storage }

func (s mended) Log() eventstore.Log { return mendedLog{s.storage.Log()} }

type mendedLog struct{ eventstore.Log }

func mend(events []eventstore.Event) []eventstore.Event {
	events = slices.Clone(events)
	for i := range events {
		if events[i].Type == newerType {
			events[i].Type = domain.ChirpPosted{}.WireName()
		}
	}
	return events
}

func (l mendedLog) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.ReadAll(ctx, after, limit)
	return mend(events), err
}

func (l mendedLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for events, err := range l.Log.Follow(ctx, after) {
			if !yield(mend(events), err) {
				return
			}
		}
	}
}

func TestAnUnreadableEventHaltsTheViewsAndNothingElse(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		ann.readAfter = must(bob.post(t.Context(), "before", ""))(t).Position
		must(ann.page(t.Context(), 1, ""))(t)

		at := poison(t, p.openToWrite(t, false), users[1].ID, "newer").Position
		last := must(bob.post(t.Context(), "after", ""))(t)
		reason := fmt.Sprintf("the projector halted: project event %d (%s): unknown event type %q", at, newerType, newerType)
		awaitProbe(t, s.url, http.StatusServiceUnavailable, reason)
		wantHalted(t, s, p, at)

		registerAll(t, s.url, "Cid") // commands and queries go on
		if got := contents(must(ann.feed(t.Context(), 10))(t)); !slices.Equal(got, []string{"before"}) {
			t.Errorf("feed while halted: got %q, want only what was before", got)
		}
		ann.readAfter = last.Position
		if _, err := ann.page(t.Context(), 1, ""); code(err) != "NOT_YET_VISIBLE" {
			t.Errorf("feed after a position beyond the halt: got %v, want NOT_YET_VISIBLE", err)
		}
		s.stop(t)

		ann.url = serveMended(t, p)
		ready(t, ann.url)
		if got, want := contents(must(ann.feed(t.Context(), 10))(t)), []string{"after", "newer", "before"}; !slices.Equal(got, want) {
			t.Errorf("feed once the event can be read: got %q, want %q", got, want)
		}
	})
}

// wantHalted checks that the metrics, the server's log and chirp verify name
// the event.
func wantHalted(t *testing.T, s *server, p place, at domain.Position) {
	t.Helper()
	_, metrics, err := probe(t.Context(), s.url+"/metrics")
	for _, want := range []string{fmt.Sprintf("\nchirp_projector_halted_position %d\n", at), "\nchirp_projector_phase{phase=\"halted\"} 1\n"} {
		if err != nil || !strings.Contains(metrics, want) {
			t.Errorf("/metrics: want the line %q, error %v", want, err)
		}
	}
	line := fmt.Sprintf("before this event\" position=%d type=%s error=\"unknown event type", at, newerType)
	if log := s.log.String(); !strings.Contains(log, line) {
		t.Errorf("the server's log lacks %q", line)
	}
	cfg, err := parseConfig(append([]string{"verify"}, p.args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = verifyViews(t.Context(), cfg, &out, nil, slog.New(slog.DiscardHandler))
	want := fmt.Sprintf("event %d (%s) of the log: want an event that this program can read, got the error ", at, newerType)
	if err == nil || !strings.Contains(err.Error(), "differences: 1;") || !strings.HasPrefix(out.String(), want) {
		t.Errorf("chirp verify: got error %v and\n%s\nwant one difference, %q", err, out.String(), want)
	}
}

// serveMended serves a place with a program that can read the newer type, and
// checks its views in the end.
func serveMended(t *testing.T, p place) (url string) {
	t.Helper()
	cfg, err := parseConfig(append(p.args, "--rate-limit", "0"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	store := mended{p.openToWrite(t, true)}
	log := slog.New(slog.DiscardHandler)
	app, err := startApp(t.Context(), cfg, store, log)
	if err != nil {
		t.Fatal(err)
	}
	front := newFront(log, &transport.Origins{})
	front.serve(app)
	server := httptest.NewServer(front)
	t.Cleanup(func() {
		sum, err := verify.Run(context.WithoutCancel(t.Context()), verify.Config{Log: store.Log(), Views: store.Views(), Report: func(d verify.Difference) { t.Error(d) }})
		if err != nil || sum.Head == 0 || sum.Generation.Checkpoint.Position != sum.Head {
			t.Errorf("verify: got %+v, error %v; want the views at the log's end", sum, err)
		}
		server.Close()
		app.stop()
	})
	return server.URL
}
