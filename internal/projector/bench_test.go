package projector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// nowhere are views that store their checkpoint and profiles only, so that mostly
// the projector's own work is measured.
type nowhere struct {
	readmodel.Store
	generation readmodel.Generation
	profiles   map[domain.UserID]readmodel.Profile
}

type nowhereWriter struct {
	readmodel.Writer
	*nowhere
}

func (n *nowhere) Serving(_ context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	if n.profiles == nil {
		n.generation = readmodel.Generation{Number: 1, Epoch: epoch, Threshold: threshold}
		n.profiles = make(map[domain.UserID]readmodel.Profile)
	}
	return nowhereWriter{nowhere: n}, nil
}

func (n *nowhere) Lease(context.Context, string, time.Duration) (bool, error) { return true, nil }

func (n *nowhere) Release(context.Context, string) error { return nil }

func (w nowhereWriter) Generation(context.Context) (readmodel.Generation, error) {
	return w.generation, nil
}

func (w nowhereWriter) ProfilesByID(_ context.Context, ids []domain.UserID) ([]readmodel.Profile, error) {
	var found []readmodel.Profile
	for _, id := range ids {
		if p, known := w.profiles[id]; known {
			found = append(found, p)
		}
	}
	return found, nil
}

func (w nowhereWriter) Follows(context.Context, []readmodel.Pair) ([]readmodel.Follow, error) {
	return nil, nil
}

// beyondAll is a position after all of a benchmark's: no range is too long for one
// transaction.
const beyondAll = domain.Position(1 << 40)

func (w nowhereWriter) FollowersThrough(context.Context, readmodel.UserKey, domain.Position, int) (domain.Position, error) {
	return beyondAll, nil
}

func (w nowhereWriter) PushedThrough(context.Context, readmodel.UserKey, domain.Position, int) (domain.Position, error) {
	return beyondAll, nil
}

func (w nowhereWriter) Apply(_ context.Context, b readmodel.Batch) error {
	w.generation.Checkpoint = b.To
	for _, p := range b.Profiles {
		w.profiles[p.ID] = p
	}
	return nil
}

// BenchmarkReplay projects a log from its beginning: 2,000 users with 10
// follows each on average, and then chirps and follows in the ratio of two to one.
// A chirp has 10 to 20 deliveries on average.
func BenchmarkReplay(b *testing.B) {
	log := newMemoryLog()
	w := newWorld(b, log)
	w.register(2000)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() int { return random.IntN(len(w.users)) }
	for range 20_000 {
		if a, b := pick(), pick(); a != b {
			w.follow(a, b)
		}
	}
	for range 20_000 {
		w.post(pick(), 2)
		if a, b := pick(), pick(); a != b {
			w.follow(a, b)
		}
	}
	w.write()
	for _, k := range []kind{{"nowhere", func(testing.TB) storePair { return storePair{views: &nowhere{}} }}, onSQLite, onMongoDB} {
		b.Run(k.name, func(b *testing.B) { replay(b, k, w, log) })
	}
}

func replay(b *testing.B, k kind, w *world, log *eventstoretest.Memory) {
	events := 0
	for b.Loop() {
		b.StopTimer()
		stores := k.open(b)
		b.StartTimer()
		done := make(chan struct{})
		p := start(b, projector.Config{
			Log: log, Views: stores.views, Threshold: 10_000, Holder: "a",
			Committed: func(at domain.Position) {
				if at == w.head() {
					close(done)
				}
			},
		})
		<-done
		p.stop(b)
		events += len(w.events)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFollow projects follows and unfollows of a user with 5,000 chirps, each
// in a batch of its own, by how many chirps a follow delivers at least.
func BenchmarkFollow(b *testing.B) {
	for _, k := range []kind{onSQLite, onMongoDB} {
		for _, backfill := range []int{32, 64, 128, 256, 512} {
			b.Run(fmt.Sprintf("%s/backfill=%d", k.name, backfill), func(b *testing.B) {
				stores := k.open(b)
				w := newWorld(b, stores.log)
				w.register(2)
				w.post(1, 5000)
				w.write()
				cfg := projector.Config{Threshold: 10_000, Backfill: backfill}
				project(b, stores, w, cfg)
				cfg.MaxEvents = 1
				for b.Loop() {
					b.StopTimer()
					for range 20 {
						w.follow(0, 1)
					}
					w.write()
					b.StartTimer()
					project(b, stores, w, cfg)
				}
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(20*b.N), "ms/event")
			})
		}
	}
}
