package archive_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"chirp/internal/archive"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// chirps is a log like the real ones.
func chirps(n int) fixedLog {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	log := fixedLog{epoch: "an-epoch"}
	for i := range n {
		id := fmt.Sprintf("chirp_01h5zcrqqxe4h9v9m0%08d", i)
		log.events = append(log.events, eventstore.Append{
			Events: []eventstore.NewEvent{{
				Stream: domain.StreamID("chirp:" + id), Type: "chirp.posted.v1",
				Data: fmt.Appendf(nil, `{"chirpId":"%s","authorId":"user_01h5zcrqqxe4h9v9m000000001","content":"chirp %d, as long as they are & with a ☃ in it"}`, id, i),
			}},
			Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "user_01h5zcrqqxe4h9v9m000000001", ID: id}, Fingerprint: fmt.Sprintf("%064d", i)},
			RecordedAt: at, CorrelationID: "0123456789abcdef", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		}.At(domain.Position(i))...)
	}
	return log
}

// perEvent reports how long one of n events took.
func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkWrite(b *testing.B) {
	log := chirps(20_000)
	for b.Loop() {
		if _, err := archive.Write(b.Context(), io.Discard, archive.Source{Log: log}); err != nil {
			b.Fatal(err)
		}
	}
	perEvent(b, len(log.events))
}

func BenchmarkRead(b *testing.B) {
	log := chirps(20_000)
	var file bytes.Buffer
	if _, err := archive.Write(b.Context(), &file, archive.Source{Log: log}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := archive.NewReader(bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range r.Events() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	perEvent(b, len(log.events))
}
