package eventlog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// BenchmarkAppend measures appends of one chirp each, by a number of writers that
// each wait for their answer. One op is one append.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			log := storetest.OpenNew(b).Log()
			measure(b, slices.Repeat([]func(context.Context) error{appending(log)}, writers))
		})
	}
}

// BenchmarkAppendServers measures the same with the writers spread over
// servers that share the database. The metric least-share is the number of appends
// of the server with the fewest, divided by an even share.
func BenchmarkAppendServers(b *testing.B) {
	for _, c := range []struct{ servers, writers int }{{1, 64}, {2, 32}, {4, 16}, {4, 64}} {
		b.Run(fmt.Sprintf("%dx%d", c.servers, c.writers), func(b *testing.B) {
			database := mongotest.Database(b)
			var writers []func(context.Context) error
			for range c.servers {
				store, closeStore := storetest.Open(b, database)
				b.Cleanup(closeStore)
				writers = append(writers, slices.Repeat([]func(context.Context) error{appending(store.Log())}, c.writers)...)
			}
			done := measure(b, writers)
			least := b.N
			for i := range c.servers {
				sum := 0
				for _, n := range done[i*c.writers : (i+1)*c.writers] {
					sum += n
				}
				least = min(least, sum)
			}
			b.ReportMetric(float64(least*c.servers)/float64(b.N), "least-share")
		})
	}
}

// BenchmarkRawInsert measures the driver's single inserts of the same documents with
// the same durability, without versions, positions and command ids.
func BenchmarkRawInsert(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			journaled := true
			client, err := mongo.Connect(options.Client().ApplyURI(mongotest.URI(b)).
				SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = client.Disconnect(context.Background()) })
			things := client.Database(mongotest.Database(b)).Collection("things")
			insert := func(ctx context.Context) error {
				a := storetest.Chirp()
				_, err := things.InsertOne(ctx, bson.D{
					{Key: "_id", Value: a.Command.ID}, {Key: "stream", Value: string(a.Events[0].Stream)},
					{Key: "version", Value: int64(1)}, {Key: "type", Value: a.Events[0].Type},
					{Key: "data", Value: bson.D{{Key: "content", Value: string(a.Events[0].Data)}}},
					{Key: "recordedAt", Value: a.RecordedAt}, {Key: "actor", Value: a.Command.Actor},
					{Key: "command", Value: bson.D{{Key: "fingerprint", Value: a.Command.Fingerprint}, {Key: "events", Value: int64(1)}}},
				})
				return err
			}
			measure(b, slices.Repeat([]func(context.Context) error{insert}, writers))
		})
	}
}

// appending returns a writer that appends a new chirp.
func appending(log eventstore.Log) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := log.Append(ctx, storetest.Chirp())
		return err
	}
}

// measure distributes b.N calls among writers, first come, first served, and reports
// the rate, how long the calls took, and the CPU time per call of this process and of
// the database. It returns each writer's count.
func measure(b *testing.B, writers []func(context.Context) error) []int {
	ctx := context.Background()
	for _, w := range writers { // connections and caches are warm from here on
		if err := w(ctx); err != nil {
			b.Fatal(err)
		}
	}
	tokens := make(chan struct{}, b.N)
	for range b.N {
		tokens <- struct{}{}
	}
	close(tokens)
	took := make([][]time.Duration, len(writers))
	var wg sync.WaitGroup
	b.ReportAllocs()
	used := cpu(b)
	b.ResetTimer()
	for i, w := range writers {
		wg.Go(func() {
			for range tokens {
				start := time.Now()
				if err := w(ctx); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	for name, total := range cpu(b) {
		b.ReportMetric(float64((total-used[name]).Nanoseconds())/1000/float64(b.N), name+"-us/op")
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	counts := make([]int, len(writers))
	for i := range took {
		counts[i] = len(took[i])
	}
	return counts
}

// cpu returns the CPU time that this process and the database have used.
func cpu(b *testing.B) map[string]time.Duration {
	b.Helper()
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		b.Fatal(err)
	}
	var status struct {
		Extra struct {
			User   int64 `bson:"user_time_us"`
			System int64 `bson:"system_time_us"`
		} `bson:"extra_info"`
	}
	admin := storetest.Client(b, mongotest.URI(b)).Database("admin")
	if err := admin.RunCommand(b.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		b.Fatal(err)
	}
	return map[string]time.Duration{
		"self":   time.Duration(self.Utime.Nano() + self.Stime.Nano()),
		"mongod": time.Duration(status.Extra.User+status.Extra.System) * time.Microsecond,
	}
}
