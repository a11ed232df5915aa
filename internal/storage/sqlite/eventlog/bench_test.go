package eventlog_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// BenchmarkAppend appends chirps, each in a stream of its own, from many
// goroutines, each of which waits for one append before it makes the next.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			log := openLog(b, b.TempDir())
			appends := make([]eventstore.Append, b.N)
			for i := range appends {
				appends[i] = chirp(b)
			}
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						start := time.Now()
						if _, err := log.Append(b.Context(), appends[i]); err != nil {
							b.Errorf("Append: %v", err)
						}
						took[i] = time.Since(start)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(took[b.N/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[b.N*99/100].Seconds()*1000, "p99-ms")
			b.ReportMetric(took[b.N-1].Seconds()*1000, "max-ms")
		})
	}
}

// chirp makes the append of a chirp as a handler does.
func chirp(t testing.TB) eventstore.Append {
	t.Helper()
	id, author := domain.ChirpIDFrom(uuid.Must(uuid.NewV7())), domain.UserIDFrom(uuid.New())
	event := domain.ChirpPosted{ChirpID: id, AuthorID: author, Content: "The quick brown fox jumps over the lazy dog, and then it does so once more."}
	wire, data, err := domain.EncodeEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Append{
		Events: []eventstore.NewEvent{{Stream: domain.ChirpStream(id), Type: wire, Data: data}},
		Command: eventstore.Command{
			CommandKey:  eventstore.CommandKey{Actor: string(author), ID: uuid.NewString()},
			Fingerprint: "0123456789abcdef0123456789abcdef",
		},
		RecordedAt: time.Now(), CorrelationID: uuid.NewString(), TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
	}
}
