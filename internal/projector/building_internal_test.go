package projector

import (
	"testing"
	"time"

	"chirp/internal/domain"
)

// TestTheTimeLeftFollowsTheRateOfLate builds 1,000,000 events in steps of two seconds,
// the later the slower.
func TestTheTimeLeftFollowsTheRateOfLate(t *testing.T) {
	const head = 1_000_000
	began := time.Now()
	b := Building{Since: began}
	b = b.advance(Progress{Head: head}, began.Add(time.Second))
	if b.Left() != 0 {
		t.Errorf("before the first batch %v are left, want 0 for unknown", b.Left())
	}
	at, position := began.Add(time.Second), domain.Position(0)
	for _, phase := range []struct{ perSecond, seconds int }{{10_000, 60}, {1000, 120}} {
		for range phase.seconds / 2 {
			at, position = at.Add(2*time.Second), position+domain.Position(2*phase.perSecond)
			b = b.advance(Progress{Position: position, Head: head}, at)
			b = b.advance(b.Progress, at.Add(time.Second)) // nothing new
		}
		want := time.Duration(head-position) * time.Second / time.Duration(phase.perSecond)
		if got := b.Left(); got < want*8/10 || got > want*12/10 {
			t.Errorf("at %d, with %d events a second of late, %v are left, want about %v", position, phase.perSecond, got, want)
		}
	}
}
