package eventstoretest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// recordedAt is a time that is neither in UTC nor a whole number of milliseconds.
func recordedAt() time.Time {
	return time.Date(2024, 5, 17, 23, 59, 59, 123_456_789, time.FixedZone("UTC+5:30", 5*3600+1800))
}

// write is the part of an append that concerns one stream.
type write struct {
	stream   domain.StreamID
	expected int64
	events   []eventstore.NewEvent
}

// command returns an append of some writes under a command id of its own.
func command(id string, writes ...write) eventstore.Append {
	events, expected := appended(writes...)
	return eventstore.Append{
		Events: events, Expected: expected,
		Command: eventstore.Command{
			CommandKey:  eventstore.CommandKey{Actor: "actor", ID: id},
			Fingerprint: "fingerprint of " + id,
		},
		RecordedAt:    recordedAt(),
		CorrelationID: "correlation of " + id,
		TraceID:       "trace of " + id,
	}
}

// appended returns the events of some writes and their expected versions.
func appended(writes ...write) ([]eventstore.NewEvent, eventstore.Versions) {
	var events []eventstore.NewEvent
	expected := make(eventstore.Versions)
	for _, w := range writes {
		events = append(events, w.events...)
		expected[w.stream] = w.expected
	}
	return events, expected
}

// to returns n events for a stream that is expected at a version.
func to(stream domain.StreamID, expected int64, n int) write {
	w := write{stream: stream, expected: expected}
	for i := range n {
		data := fmt.Sprintf(`{"stream":%q,"version":%d}`, stream, expected+int64(i)+1)
		w.events = append(w.events, eventstore.NewEvent{Stream: stream, Type: "thing.happened.v1", Data: json.RawMessage(data)})
	}
	return w
}

// mustAppend makes an append that must succeed and not be a repeat.
func mustAppend(t testing.TB, log eventstore.Log, a eventstore.Append) eventstore.Commit {
	t.Helper()
	commit, err := log.Append(guarded(t), a)
	if err != nil {
		t.Fatalf("Append %s: %v", a.Command.ID, err)
	}
	if commit.Repeated || commit.Fingerprint != a.Command.Fingerprint {
		t.Fatalf("Append %s: got Repeated %t and fingerprint %q, want a first commit with %q", a.Command.ID, commit.Repeated, commit.Fingerprint, a.Command.Fingerprint)
	}
	return commit
}

// fill appends n single events, each to a stream of its own.
func fill(t testing.TB, log eventstore.Log, prefix string, n int) {
	t.Helper()
	for i := range n {
		mustAppend(t, log, command(fmt.Sprintf("%s-%d", prefix, i), to(domain.StreamID(fmt.Sprintf("%s:%d", prefix, i)), 0, 1)))
	}
}

// everything reads the whole log.
func everything(t testing.TB, log eventstore.Log) []eventstore.Event {
	t.Helper()
	events, err := log.ReadAll(guarded(t), 0, 1_000_000)
	if err != nil {
		t.Fatalf("ReadAll: %v", err)
	}
	return events
}

// wantHead checks where the log ends, by Head and by ReadAll.
func wantHead(t testing.TB, log eventstore.Log, want domain.Position) {
	t.Helper()
	head, err := log.Head(guarded(t))
	if err != nil || head.Position != want {
		t.Errorf("Head: got position %d, error %v; want %d", head.Position, err, want)
	}
	if got := len(everything(t, log)); domain.Position(got) != want {
		t.Errorf("ReadAll: got %d events, want %d", got, want)
	}
}

// wantEvents compares events field by field, and their data by meaning.
func wantEvents(t testing.TB, what string, got, want []eventstore.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d events, want %d", what, len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if !reflect.DeepEqual(meaning(t, g.Data), meaning(t, w.Data)) {
			t.Fatalf("%s: got data %.200s, want %.200s", what, g.Data, w.Data)
		}
		if g.RecordedAt.Location() != time.UTC || !g.RecordedAt.Equal(w.RecordedAt) {
			t.Fatalf("%s: got recorded at %v, want %v", what, g.RecordedAt, w.RecordedAt)
		}
		g.Data, w.Data, g.RecordedAt, w.RecordedAt = nil, nil, time.Time{}, time.Time{}
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("%s: got event\n%+v, want\n%+v", what, g, w)
		}
	}
}

// meaning decodes JSON so that documents with the same meaning are deeply equal;
// numbers compare by value.
func meaning(t testing.TB, data json.RawMessage) any {
	t.Helper()
	var v any
	if err := unmarshalNumbers(data, &v); err != nil {
		t.Fatalf("data %.200q is not JSON: %v", data, err)
	}
	return exactNumbers(v)
}

func exactNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return "number " + r.RatString()
		}
	case []any:
		for i := range v {
			v[i] = exactNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exactNumbers(v[k])
		}
	}
	return v
}

// follow reads with Follow up to a position. It returns an error at the first
// event that is not the next one.
func follow(ctx context.Context, log eventstore.Log, after, until domain.Position) ([]eventstore.Event, error) {
	var got []eventstore.Event
	for batch, err := range log.Follow(ctx, after) {
		at := after + domain.Position(len(got))
		if err != nil {
			return got, fmt.Errorf("Follow after %d, at %d of %d: %w", after, at, until, err)
		}
		if len(batch) == 0 {
			return got, fmt.Errorf("Follow after %d, at %d: got an empty batch", after, at)
		}
		if err := wantNext(at, batch); err != nil {
			return got, fmt.Errorf("Follow after %d: %w", after, err)
		}
		if got = append(got, batch...); at+domain.Position(len(batch)) >= until {
			return got, nil
		}
	}
	return got, fmt.Errorf("Follow after %d ended without an error at %d of %d", after, len(got), until)
}

// poll is follow with ReadAll instead of Follow.
func poll(ctx context.Context, log eventstore.Log, until domain.Position) error {
	for at := domain.Position(0); at < until; {
		batch, err := log.ReadAll(ctx, at, 7)
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return fmt.Errorf("ReadAll after %d of %d: %w", at, until, err)
		}
		if err := wantNext(at, batch); err != nil {
			return fmt.Errorf("ReadAll after %d: %w", at, err)
		}
		at += domain.Position(len(batch))
		if len(batch) == 0 {
			time.Sleep(time.Millisecond) // leaves the writers some CPU time
		}
	}
	return nil
}

func wantNext(at domain.Position, batch []eventstore.Event) error {
	for _, e := range batch {
		if e.Position != at+1 {
			return fmt.Errorf("got position %d after %d", e.Position, at)
		}
		at++
	}
	return nil
}
