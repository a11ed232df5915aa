package views

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// benchViews are views with a projector that makes up its events.
type benchViews struct {
	*testing.B
	ctx    context.Context
	views  *Store
	writer readmodel.Writer
	at     domain.Position // the checkpoint
	head   domain.Position // the last event
}

func newBenchViews(b *testing.B) *benchViews {
	v := openTestStore(b, b.TempDir(), Options{Exclusive: true})
	w, err := v.Serving(context.Background(), "epoch-of-the-test", 10_000)
	if err != nil {
		b.Fatal(err)
	}
	return &benchViews{B: b, ctx: context.Background(), views: v, writer: w}
}

func (b *benchViews) next() domain.Position {
	b.head++
	return b.head
}

// apply brings the checkpoint to the last event.
func (b *benchViews) apply(batch readmodel.Batch) {
	b.Helper()
	batch.From.Position, batch.To.Position = b.at, b.head
	if err := b.writer.Apply(b.ctx, batch); err != nil {
		b.Fatal(err)
	}
	b.at = b.head
}

func benchUUID(n int64) (u [16]byte) {
	binary.BigEndian.PutUint64(u[8:], uint64(n))
	return u
}

// register creates users with consecutive keys and returns the first key.
func (b *benchViews) register(n int) readmodel.UserKey {
	first := readmodel.UserKey(b.head + 1)
	for n > 0 {
		var batch readmodel.Batch
		for range min(n, 1000) {
			n--
			at := b.next()
			batch.Profiles = append(batch.Profiles, readmodel.Profile{
				Key: readmodel.UserKey(at), ID: domain.UserIDFrom(benchUUID(int64(at))),
				Username: domain.Username(fmt.Sprintf("user%d", at)), JoinedAt: time.UnixMilli(int64(at)).UTC(),
			})
		}
		b.apply(batch)
	}
	return first
}

// follow lets each of n users from first follow a followee, in an order that
// is not that of their keys.
func (b *benchViews) follow(first readmodel.UserKey, n int, followee readmodel.UserKey, pull bool) {
	const stride = 7919 // a prime, so that each is met once
	for i := 0; i < n; {
		var batch readmodel.Batch
		for range min(n-i, 1000) {
			follower := first + readmodel.UserKey(i*stride%n)
			batch.Follows = append(batch.Follows, readmodel.Follow{Follower: follower, Followee: followee, Since: b.next(), Pull: pull})
			i++
		}
		b.apply(batch)
	}
}

func (b *benchViews) chirp(author readmodel.UserKey, how readmodel.Delivery) readmodel.Chirp {
	at := b.next()
	return readmodel.Chirp{
		Position: at, ID: domain.ChirpIDFrom(benchUUID(int64(at))), Author: author, PostedAt: time.UnixMilli(int64(at)).UTC(), Delivery: how,
		Content: "Something of the length that most people write when they have a thing to say to others",
	}
}

// post applies chirps of an author, fanned out, in one batch.
func (b *benchViews) post(author readmodel.UserKey, chirps int) {
	var batch readmodel.Batch
	for range chirps {
		c := b.chirp(author, readmodel.Push)
		batch.Chirps = append(batch.Chirps, c)
		batch.FanOuts = append(batch.FanOuts, readmodel.FanOut{Chirp: c.Position, Author: author, Range: readmodel.Range{Through: c.Position}})
	}
	b.apply(batch)
}

// BenchmarkViewsFanOut delivers batches of 10,000 entries, to timelines that
// begin empty or with 500 entries.
func BenchmarkViewsFanOut(b *testing.B) {
	for _, followers := range []int{10, 100, 1000, 10_000} {
		for _, entries := range []int{0, 500} {
			b.Run(fmt.Sprintf("followers=%d/entries=%d", followers, entries), func(b *testing.B) {
				v := newBenchViews(b)
				author := v.register(1)
				v.follow(v.register(followers), followers, author, false)
				chirps := 10_000 / followers
				for done := 0; done < entries; done += min(chirps, 500) {
					v.post(author, min(chirps, 500))
				}
				for b.Loop() {
					v.post(author, chirps)
				}
				b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	}
}

// BenchmarkViewsOneChirp delivers one chirp in a batch of its own.
func BenchmarkViewsOneChirp(b *testing.B) {
	for _, followers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			v := newBenchViews(b)
			author := v.register(1)
			v.follow(v.register(followers), followers, author, false)
			for b.Loop() {
				v.post(author, 1)
			}
			b.ReportMetric(float64(b.N)*float64(followers)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkViewsNetwork delivers chirps of many authors whose followers
// overlap: 5,000 users who follow 100 of 1,000 authors each.
func BenchmarkViewsNetwork(b *testing.B) {
	const users, authors, each = 5000, 1000, 100
	v := newBenchViews(b)
	first := v.register(users)
	for k := range users {
		var batch readmodel.Batch
		for i := range each {
			followee := first + readmodel.UserKey((k*37+i*13+i*i*7)%authors)
			if !follows(batch, followee) && followee != first+readmodel.UserKey(k) {
				batch.Follows = append(batch.Follows, readmodel.Follow{Follower: first + readmodel.UserKey(k), Followee: followee, Since: v.next()})
			}
		}
		v.apply(batch)
	}
	n := 0
	for b.Loop() {
		var batch readmodel.Batch
		for range 20 {
			author := first + readmodel.UserKey(n*271%authors)
			n++
			c := v.chirp(author, readmodel.Push)
			batch.Chirps = append(batch.Chirps, c)
			batch.FanOuts = append(batch.FanOuts, readmodel.FanOut{Chirp: c.Position, Author: author, Range: readmodel.Range{Through: c.Position}})
		}
		v.apply(batch)
	}
	b.ReportMetric(float64(n)*users*each/authors/b.Elapsed().Seconds(), "deliveries/s") // a little less: some drew one author twice
}

func follows(b readmodel.Batch, followee readmodel.UserKey) bool {
	for _, f := range b.Follows {
		if f.Followee == followee {
			return true
		}
	}
	return false
}

// read measures a read, each time in a snapshot of its own.
func (b *benchViews) read(rows int, read func(s readmodel.Snapshot) (int, error)) {
	for b.Loop() {
		s, err := b.views.Snapshot(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		n, err := read(s)
		s.Close()
		if err != nil || n != rows {
			b.Fatalf("got %d rows, %v, want %d", n, err, rows)
		}
	}
}

// BenchmarkViewsTimeline reads pages of a user with 500 followees and 25,000
// entries, in a network that has filled many volumes.
func BenchmarkViewsTimeline(b *testing.B) {
	v := newBenchViews(b)
	reader := v.register(1)
	followees := v.register(500)
	crowd := v.register(2000)
	for i := range 500 {
		v.follow(reader, 1, followees+readmodel.UserKey(i), false)
		v.follow(crowd+readmodel.UserKey(i*4), 100, followees+readmodel.UserKey(i), false)
	}
	for range 50 {
		for i := range 500 {
			v.post(followees+readmodel.UserKey(i), 1)
		}
	}
	for _, rows := range []int{20, 100} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			(&benchViews{B: b, ctx: v.ctx, views: v.views}).read(rows, func(s readmodel.Snapshot) (int, error) {
				found, err := s.Timeline(v.ctx, reader, readmodel.Window{Limit: rows})
				return len(found), err
			})
		})
	}
	b.Run("empty", func(b *testing.B) {
		(&benchViews{B: b, ctx: v.ctx, views: v.views}).read(0, func(s readmodel.Snapshot) (int, error) {
			found, err := s.Timeline(v.ctx, 1<<40, readmodel.Window{Limit: 20})
			return len(found), err
		})
	})
}

// BenchmarkViewsSourceChirps merges up to 5,000 sources of 20 chirps each, which is
// what a page deep in the feed of a user costs who follows as many prolific users.
func BenchmarkViewsSourceChirps(b *testing.B) {
	const most = 5000
	v := newBenchViews(b)
	first := v.register(most)
	var sources []readmodel.Source
	for i := range readmodel.UserKey(most) {
		sources = append(sources, readmodel.Source{Author: first + i, Delivery: readmodel.Push, Through: 1 << 40})
	}
	for range 20 {
		var batch readmodel.Batch
		for _, of := range sources {
			batch.Chirps = append(batch.Chirps, v.chirp(of.Author, readmodel.Push))
		}
		v.apply(batch)
	}
	for _, n := range []int{1, 10, 100, 1000, most} {
		for _, rows := range []int{20, 100} {
			b.Run(fmt.Sprintf("sources=%d/rows=%d", n, rows), func(b *testing.B) {
				rows := min(rows, 20*n)
				(&benchViews{B: b, ctx: v.ctx, views: v.views}).read(rows, func(s readmodel.Snapshot) (int, error) {
					found, err := s.SourceChirps(v.ctx, sources[:n], readmodel.Window{Limit: rows})
					return len(found), err
				})
			})
		}
	}
}

// BenchmarkViewsProfiles replaces and reads profiles in batches.
func BenchmarkViewsProfiles(b *testing.B) {
	v := newBenchViews(b)
	first := v.register(10_000)
	s, err := v.views.Snapshot(v.ctx)
	if err != nil {
		b.Fatal(err)
	}
	var keys []readmodel.UserKey
	for i := range readmodel.UserKey(1000) {
		keys = append(keys, first+i*7)
	}
	profiles, err := s.Profiles(v.ctx, keys)
	s.Close()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("replace=1000", func(b *testing.B) {
		w := &benchViews{B: b, ctx: v.ctx, views: v.views, writer: v.writer, at: v.at, head: v.head}
		for b.Loop() {
			w.next()
			w.apply(readmodel.Batch{Profiles: profiles})
		}
		v.at, v.head = w.at, w.head
	})
	for _, n := range []int{1, 20, 100} {
		b.Run(fmt.Sprintf("read=%d", n), func(b *testing.B) {
			(&benchViews{B: b, ctx: v.ctx, views: v.views}).read(n, func(s readmodel.Snapshot) (int, error) {
				found, err := s.Profiles(v.ctx, keys[:n])
				return len(found), err
			})
		})
	}
}

// BenchmarkViewsFollow applies batches of 1,000 new follows.
func BenchmarkViewsFollow(b *testing.B) {
	v := newBenchViews(b)
	n := readmodel.UserKey(0)
	for b.Loop() {
		var batch readmodel.Batch
		for range 1000 {
			n++
			batch.Follows = append(batch.Follows, readmodel.Follow{Follower: n * 7919 % 10_007, Followee: n, Since: v.next()})
		}
		v.apply(batch)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "follows/s")
}

// BenchmarkViewsMove backfills and cleans up 500 chirps in one timeline.
func BenchmarkViewsMove(b *testing.B) {
	v := newBenchViews(b)
	author := v.register(1)
	v.follow(v.register(2000), 2000, author, false)
	for range 500 {
		v.post(author, 1)
	}
	all := []readmodel.Delivered{{Owner: 1 << 40, Author: author, Range: readmodel.Range{Through: v.head}}}
	b.Run("backfill and clean up", func(b *testing.B) {
		w := &benchViews{B: b, ctx: v.ctx, views: v.views, writer: v.writer, at: v.at, head: v.head}
		for b.Loop() {
			w.next()
			w.apply(readmodel.Batch{Backfills: all})
			w.next()
			w.apply(readmodel.Batch{Cleanups: all})
		}
		v.at, v.head = w.at, w.head
	})
}
