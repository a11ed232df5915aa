package domain_test

import (
	"testing"
	"time"

	"chirp/internal/domain"
)

func TestHashEvent(t *testing.T) {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	stream := domain.StreamID("follow:user_a:user_b")
	h := domain.HashEvent(stream, at)
	for name, same := range map[string]time.Time{
		"below a millisecond": at.Add(time.Millisecond - 1),
		"in another zone":     at.In(time.FixedZone("x", 3600)),
	} {
		if got := domain.HashEvent(stream, same); got != h {
			t.Errorf("%s: got %d, want %d", name, got, h)
		}
	}
	for name, other := range map[string]domain.EventHash{
		"a millisecond later": domain.HashEvent(stream, at.Add(time.Millisecond)),
		"another stream":      domain.HashEvent(stream+"c", at),
		"none":                0,
	} {
		if other == h {
			t.Errorf("%s: got %d, want another hash", name, other)
		}
	}
	// Checkpoints and cursors contain the hash, so it must not change.
	if want := domain.EventHash(8279605401705075947); h != want {
		t.Errorf("got %d, want %d as ever", h, want)
	}
}
