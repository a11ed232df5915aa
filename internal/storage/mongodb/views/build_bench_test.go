package views_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// The replayed log: as many users, follows and chirps as a small network has
// in its first weeks. After the users have registered, follows and chirps come
// mixed.
const (
	replayUsers   = 3770
	replayFollows = 57_800
	replayChirps  = 20_000
	replayEvents  = replayUsers + replayFollows + replayChirps
)

// replay generates batches like those of a projector.
type replay struct {
	stage
	random    *rand.Rand
	users     map[readmodel.UserKey]*readmodel.Profile
	keys      []readmodel.UserKey
	following map[[2]readmodel.UserKey]bool
	touched   map[readmodel.UserKey]bool
	begun     domain.Position             // where the batch begins
	old       map[readmodel.UserKey]int64 // pushed before the batch, by the users who post in it
}

func newReplay(t testing.TB) *replay {
	return &replay{
		stage: stage{TB: t}, random: rand.New(rand.NewPCG(1, 2)), users: map[readmodel.UserKey]*readmodel.Profile{},
		following: map[[2]readmodel.UserKey]bool{}, touched: map[readmodel.UserKey]bool{}, old: map[readmodel.UserKey]int64{},
	}
}

// some returns a user. It returns a few of them much more often than most.
func (r *replay) some() readmodel.UserKey {
	f := r.random.Float64()
	return r.keys[int(f*f*f*float64(len(r.keys)))]
}

// any returns a user, each equally often.
func (r *replay) any() readmodel.UserKey { return r.keys[r.random.IntN(len(r.keys))] }

func (r *replay) register(b *readmodel.Batch) {
	p := profile(readmodel.UserKey(r.next()))
	r.users[p.Key], r.touched[p.Key] = &p, true
	r.keys = append(r.keys, p.Key)
}

func (r *replay) follow(b *readmodel.Batch) {
	follower, followee := r.any(), r.some()
	for follower == followee || r.following[[2]readmodel.UserKey{follower, followee}] {
		follower, followee = r.any(), r.some()
	}
	r.following[[2]readmodel.UserKey{follower, followee}] = true
	r.stage.follow(b, follower, followee, false)
	if old := r.pushedBefore(followee); old > 0 {
		b.Backfills = append(b.Backfills, readmodel.Delivered{Owner: follower, Author: followee, Range: readmodel.Range{Through: r.begun}})
	}
	r.users[follower].Following++
	r.users[followee].Followers++
	r.touched[follower], r.touched[followee] = true, true
}

// pushedBefore returns how many chirps a user had pushed before the batch.
func (r *replay) pushedBefore(k readmodel.UserKey) int64 {
	if n, ok := r.old[k]; ok {
		return n
	}
	return r.users[k].Pushed
}

func (r *replay) chirp(b *readmodel.Batch) {
	author := r.any()
	if _, ok := r.old[author]; !ok {
		r.old[author] = r.users[author].Pushed
	}
	at := r.post(b, author, readmodel.Push)
	b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: at, Author: author})
	r.users[author].Pushed++
	r.users[author].Chirps++
	r.touched[author] = true
}

// batch returns the next batch.
func (r *replay) batch(events int) readmodel.Batch {
	b := readmodel.Batch{From: readmodel.Checkpoint{Position: r.at}}
	clear(r.touched)
	clear(r.old)
	r.begun = r.at
	for range events {
		switch {
		case len(r.keys) < replayUsers:
			r.register(&b)
		case r.random.IntN(replayFollows+replayChirps) < replayFollows:
			r.follow(&b)
		default:
			r.chirp(&b)
		}
	}
	b.To.Position = r.at
	for i := range b.FanOuts {
		b.FanOuts[i].Through = r.at
	}
	for key := range r.touched {
		b.Profiles = append(b.Profiles, *r.users[key])
	}
	return b
}

// BenchmarkReplay builds generations from a log, with batches of two sizes. One
// round is enough: -benchtime 1x.
func BenchmarkReplay(b *testing.B) {
	for _, size := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := newStage(b, 0)
			var batches []readmodel.Batch
			r := newReplay(b)
			for left := replayEvents; left > 0; left -= size {
				batches = append(batches, r.batch(min(size, left)))
			}
			var finishing time.Duration
			s.loop(b, replayEvents, "events", func() {
				s.build()
				for _, batch := range batches {
					if err := s.writer.Apply(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				began := time.Now()
				if err := s.builder().Finish(context.Background()); err != nil {
					b.Fatal(err)
				}
				finishing += time.Since(began)
				if err := s.builder().Switch(context.Background()); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(finishing.Seconds()/float64(b.N), "finish-s/op")
		})
	}
}
