package eventstoretest

import (
	"fmt"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// BenchmarkImport measures imports into logs that open returns.
func BenchmarkImport(b *testing.B, open Open) {
	var events []eventstore.Event
	for i := range domain.Position(50_000) {
		id := fmt.Sprintf("chirp_01h5zcrqqxe4h9v9m0%08d", i)
		stream := domain.StreamID("chirp:" + id)
		a := command(id, write{stream: stream, events: []eventstore.NewEvent{{
			Stream: stream, Type: "chirp.posted.v1",
			Data: fmt.Appendf(nil, `{"chirpId":%q,"authorId":"user_01h5zcrqqxe4h9v9m000000001","content":"chirp %d, about as long as they are & with a ☃ in it"}`, id, i),
		}}})
		events = append(events, a.At(i)...)
	}
	for b.Loop() {
		b.StopTimer()
		log := open(b)
		b.StartTimer()
		if err := log.Import(b.Context(), importedEpoch, inBatches(events, 1000, nil)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(events)*b.N)/b.Elapsed().Seconds(), "events/s")
}
