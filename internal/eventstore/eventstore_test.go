package eventstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func newEvent(stream domain.StreamID, data string) eventstore.NewEvent {
	return eventstore.NewEvent{Stream: stream, Type: "thing.happened.v1", Data: json.RawMessage(data)}
}

// wellFormed is an append to two streams; a test spoils it.
func wellFormed() eventstore.Append {
	return eventstore.Append{
		Events:   []eventstore.NewEvent{newEvent("a", `{"n":1}`), newEvent("b", `{"n":3}`), newEvent("a", `{}`)},
		Expected: eventstore.Versions{"a": 2},
		Command: eventstore.Command{
			CommandKey: eventstore.CommandKey{Actor: "actor", ID: "id"}, Fingerprint: "fingerprint",
		},
		RecordedAt:    time.Date(2024, 5, 17, 1, 2, 3, 4_567_890, time.FixedZone("UTC+2", 7200)),
		CorrelationID: "correlation", TraceID: "trace",
	}
}

func TestCheckAcceptsAWellFormedAppend(t *testing.T) {
	a := wellFormed()
	if err := a.Check(); err != nil {
		t.Errorf("Check: got error %v", err)
	}
	a.RecordedAt, a.CorrelationID, a.TraceID = time.Time{}, "", ""
	if err := a.Check(); err != nil {
		t.Errorf("Check without what may be empty: got error %v", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, spoil := range map[string]func(a *eventstore.Append){
		"no actor":                func(a *eventstore.Append) { a.Command.Actor = "" },
		"no command id":           func(a *eventstore.Append) { a.Command.ID = "" },
		"no fingerprint":          func(a *eventstore.Append) { a.Command.Fingerprint = "" },
		"no events":               func(a *eventstore.Append) { a.Events, a.Expected = nil, nil },
		"a stream without a name": func(a *eventstore.Append) { a.Events[1].Stream = "" },
		"a negative version":      func(a *eventstore.Append) { a.Expected["b"] = -1 },
		"a stream without events": func(a *eventstore.Append) { a.Expected["c"] = 0 },
		"an event without a type": func(a *eventstore.Append) { a.Events[1].Type = "" },
		"an event without data":   func(a *eventstore.Append) { a.Events[1].Data = nil },
		"data that is not JSON":   func(a *eventstore.Append) { a.Events[1].Data = json.RawMessage(`{"n":`) },
		"data that are a list":    func(a *eventstore.Append) { a.Events[1].Data = json.RawMessage(`[{}]`) },
		"data with more after":    func(a *eventstore.Append) { a.Events[1].Data = json.RawMessage(`{}{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			a := wellFormed()
			spoil(&a)
			if err := a.Check(); err == nil {
				t.Error("Check: got no error")
			}
		})
	}
}

func TestAtNumbersTheEvents(t *testing.T) {
	envelope := eventstore.Event{
		Type: "thing.happened.v1", RecordedAt: time.Date(2024, 5, 16, 23, 2, 3, 4_000_000, time.UTC),
		Actor: "actor", CommandID: "id", CorrelationID: "correlation", TraceID: "trace",
	}
	var want []eventstore.Event
	for i, w := range []struct {
		stream  domain.StreamID
		version int64
		data    string
	}{{"a", 3, `{"n":1}`}, {"b", 1, `{"n":3}`}, {"a", 4, `{}`}} {
		e := envelope
		e.Position, e.Stream, e.Version, e.Data = domain.Position(8+i), w.stream, w.version, json.RawMessage(w.data)
		want = append(want, e)
	}
	want[0].Command = &eventstore.CommandMark{Fingerprint: "fingerprint", Events: 3}
	got := wellFormed().At(7)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("At: (-want +got):\n%s", diff)
	}
	if zone := got[0].RecordedAt.Location(); zone != time.UTC {
		t.Errorf("At: got a time in %v, want UTC", zone)
	}
}

func TestStreamsHaveOneExpectedVersionEach(t *testing.T) {
	var got []string
	for stream, expected := range wellFormed().Streams() {
		got = append(got, fmt.Sprintf("%s at %d", stream, expected))
	}
	if want := []string{"a at 2", "b at 0"}; !slices.Equal(got, want) {
		t.Errorf("Streams: got %v, want %v", got, want)
	}
	for stream := range wellFormed().Streams() {
		if stream != "a" {
			t.Errorf("Streams: got %s after the loop ended", stream)
		}
		break
	}
}

func TestEncodeTakesTheStreamFromTheEvent(t *testing.T) {
	fact := domain.UsernameReserved{UserID: "user_1", Username: "Ann"}
	got, err := eventstore.Encode(fact)
	want := eventstore.NewEvent{Stream: "username:ann", Type: "username.reserved.v1", Data: json.RawMessage(`{"userId":"user_1","username":"Ann"}`)}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Encode: error %v (-want +got):\n%s", err, diff)
	}
}

func TestCommitEndsAtItsLastEvent(t *testing.T) {
	if got := (eventstore.Commit{Events: wellFormed().At(7)}).Position(); got != 10 {
		t.Errorf("Position: got %d, want 10", got)
	}
	if got := (eventstore.Commit{}).Position(); got != 0 {
		t.Errorf("Position of no commit: got %d, want 0", got)
	}
}

func TestConflictErrorIsAConflict(t *testing.T) {
	err := fmt.Errorf("append: %w", &eventstore.ConflictError{Stream: "user:x", Expected: 3, Actual: 5})
	if !errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrCommandReused) {
		t.Errorf("got %v, want ErrConflict alone", err)
	}
	for _, part := range []string{"user:x", "3", "5"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to name %s", err, part)
		}
	}
}
