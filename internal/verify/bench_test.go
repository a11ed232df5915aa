package verify_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/verify"
)

// BenchmarkVerify verifies a whole store in which each user follows ten others and
// posts ten times.
func BenchmarkVerify(b *testing.B) {
	const users, each = 2000, 10
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			s, _ := k.open(b)
			fill(b, s.Log(), users, each)
			projectIn(b, s.Log(), s.Views(), 10_000, 1000, 10_000)
			var sum verify.Summary
			for b.Loop() {
				var err error
				if sum, err = verify.Run(b.Context(), verify.Config{Log: s.Log(), Views: s.Views()}); err != nil || sum.Differences != 0 {
					b.Fatalf("got %d differences, error %v", sum.Differences, err)
				}
			}
			perOp := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(sum.Events)/perOp, "events/s")
			b.ReportMetric(float64(sum.Users)/perOp, "users/s")
			b.ReportMetric(float64(sum.TimelineEntries)/perOp, "entries/s")
		})
	}
}

// fill fills a log, appending many events at a time.
func fill(b *testing.B, log eventstore.Log, users, each int) {
	b.Helper()
	var next eventstore.Append
	flush := func() {
		if len(next.Events) == 0 {
			return
		}
		next.Command = eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "bench", ID: uuid.NewString()}, Fingerprint: "bench"}
		next.RecordedAt = time.Now()
		if _, err := log.Append(b.Context(), next); err != nil {
			b.Fatal(err)
		}
		next = eventstore.Append{}
	}
	add := func(fact domain.Event) {
		event, err := eventstore.Encode(fact)
		if err != nil {
			b.Fatal(err)
		}
		next.Events = append(next.Events, event)
		if len(next.Events) == 500 {
			flush()
		}
	}
	ids := make([]domain.UserID, users)
	for i := range ids {
		ids[i] = domain.UserIDFrom(uuid.Must(uuid.NewV7()))
		name := domain.Username(fmt.Sprint("u", i))
		add(domain.UserRegistered{UserID: ids[i], Username: name})
		add(domain.UsernameReserved{UserID: ids[i], Username: name})
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i, id := range ids {
		for _, step := range random.Perm(users - 1)[:each] {
			other := ids[(i+1+step)%users]
			add(domain.UserFollowed{FollowerID: id, FolloweeID: other})
		}
	}
	for range each {
		for _, id := range ids {
			chirp := domain.ChirpIDFrom(uuid.Must(uuid.NewV7()))
			add(domain.ChirpPosted{ChirpID: chirp, AuthorID: id, Content: "a text of some length, as people write them"})
		}
	}
	flush()
}
