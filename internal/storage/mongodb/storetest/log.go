package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Hang bounds waits. It is far longer than anything takes, so that only a hang fails.
const Hang = time.Minute

// Bounded returns a context that ends with the test, or after Hang.
func Bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Hang)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Hang); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", Hang, what)
		}
	}
}

// To returns an append of one event to a stream.
func To(stream string, expected int64, command string) eventstore.Append {
	return eventstore.Append{
		Events:     []eventstore.NewEvent{{Stream: domain.StreamID(stream), Type: "test.happened.v1", Data: []byte(`{"by":"` + command + `"}`)}},
		Expected:   eventstore.Versions{domain.StreamID(stream): expected},
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "tester", ID: command}, Fingerprint: "f"},
		RecordedAt: time.Now(),
	}
}

// Chirp returns an append like that of a posted chirp.
func Chirp() eventstore.Append {
	id := domain.ChirpIDFrom(uuid.Must(uuid.NewV7()))
	data := fmt.Sprintf(`{"chirpId":%q,"authorId":"user_01h455vb4pex5vsknk084sn02q","content":"A chirp of about the length that people write, give or take a few words."}`, id)
	return eventstore.Append{
		Events:     []eventstore.NewEvent{{Stream: domain.ChirpStream(id), Type: "chirp.posted.v1", Data: []byte(data)}},
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "user_01h455vb4pex5vsknk084sn02q", ID: string(id)}, Fingerprint: "b5bb9d8014a0f9b1d61e21e796d78dcc"},
		RecordedAt: time.Now(), CorrelationID: "c-1",
	}
}

// OneEvent returns the events of the smallest log there is, for an import.
func OneEvent() iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) { yield(To("s", 0, "c").At(0), nil) }
}

// MustAppend appends, which must succeed.
func MustAppend(t testing.TB, log eventstore.Log, a eventstore.Append) {
	t.Helper()
	if _, err := log.Append(t.Context(), a); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// AppendThrough appends again and again while the store is unavailable, until
// the outcome is known.
func AppendThrough(ctx context.Context, log eventstore.Log, a eventstore.Append) error {
	for {
		_, err := log.Append(ctx, a)
		if err == nil || domain.KindOf(err) != domain.Unavailable {
			return err
		}
	}
}

// Follow follows a log up to a position and checks that each event comes once,
// in order. until returns 0 while the position is not known.
func Follow(ctx context.Context, log eventstore.Log, until func() domain.Position) ([]eventstore.Event, error) {
	var got []eventstore.Event
	for batch, err := range log.Follow(ctx, 0) {
		if err != nil {
			return got, fmt.Errorf("follow, after %d events: %w", len(got), err)
		}
		for _, e := range batch {
			if got = append(got, e); e.Position != domain.Position(len(got)) {
				return got, fmt.Errorf("follow: got position %d as event number %d", e.Position, len(got))
			}
		}
		if end := until(); end > 0 && len(got) >= int(end) {
			return got, nil
		}
	}
	return got, errors.New("follow ended without an error")
}
