package audit_test

import (
	"strings"
	"testing"

	"chirp/internal/audit"
	"chirp/internal/domain"
)

// BenchmarkNext audits chirps of 60 characters, some of them beyond ASCII.
func BenchmarkNext(b *testing.B) {
	l := small(b)
	for n := range 20_000 {
		content := strings.Repeat("a word ", 8) + "end"
		if n%4 == 0 {
			content = strings.Repeat("é☃ wor ", 8) + "end"
		}
		l.append(string(bob), domain.ChirpPosted{ChirpID: domain.ChirpIDFrom([16]byte{13: 1, 14: byte(n >> 8), 15: byte(n)}), AuthorID: bob, Content: domain.Content(content)})
	}
	events := l.events
	for b.Loop() {
		a := audit.New()
		for _, e := range events {
			if _, refusal := a.Next(e); refusal != nil {
				b.Fatal(refusal)
			}
		}
	}
	b.ReportMetric(float64(len(events))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
