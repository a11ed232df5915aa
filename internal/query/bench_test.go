package query_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite"
)

// network are views in the embedded store of users whose numbers of followers are
// distributed as in a real network, with a projector that makes up the events.
type network struct {
	*testing.B
	service *query.Service
	writer  readmodel.Writer
	at      domain.Position
	random  *rand.Rand

	users []readmodel.Profile
}

func newNetwork(b *testing.B) *network {
	store, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{Exclusive: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	w, err := store.Views().Serving(b.Context(), "epoch", 10_000)
	if err != nil {
		b.Fatal(err)
	}
	n := &network{B: b, writer: w, random: rand.New(rand.NewPCG(1, 2))}
	n.service = &query.Service{Views: store.Views(), Cache: query.NewCache(64 << 20), Hashes: n.hashes}
	return n
}

func (n *network) hashes(_ context.Context, at []domain.Position) (map[domain.Position]domain.EventHash, error) {
	found := map[domain.Position]domain.EventHash{}
	for _, p := range at {
		found[p] = domain.EventHash(p)
	}
	return found, nil
}

func (n *network) next() domain.Position {
	n.at++
	return n.at
}

// apply applies what fill adds to a batch.
func (n *network) apply(fill func(b *readmodel.Batch)) {
	n.Helper()
	g, err := n.writer.Generation(n.Context())
	b := readmodel.Batch{From: g.Checkpoint}
	fill(&b)
	b.To = readmodel.Checkpoint{Position: n.at, Event: domain.EventHash(n.at)}
	if err == nil {
		err = n.writer.Apply(n.Context(), b)
	}
	if err != nil {
		n.Fatal(err)
	}
}

func uuidOf(p domain.Position) (u [16]byte) {
	binary.BigEndian.PutUint64(u[8:], uint64(p))
	return u
}

func (n *network) register(count int) {
	n.apply(func(b *readmodel.Batch) {
		for range count {
			at := n.next()
			b.Profiles = append(b.Profiles, readmodel.Profile{
				Key: readmodel.UserKey(at), ID: domain.UserIDFrom(uuidOf(at)),
				Username: domain.Username(fmt.Sprintf("user%d", at)), JoinedAt: time.UnixMilli(int64(at)).UTC(),
			})
		}
		n.users = append(n.users, b.Profiles...)
	})
}

// follow lets a user follow others, of whom those with low keys are popular.
func (n *network) follow(follower readmodel.UserKey, count int, pull bool, among []readmodel.Profile) {
	chosen := map[readmodel.UserKey]bool{follower: true}
	n.apply(func(b *readmodel.Batch) {
		for range count {
			r := n.random.Float64()
			of := among[int(r*r*float64(len(among)))].Key
			if !chosen[of] {
				chosen[of] = true
				b.Follows = append(b.Follows, readmodel.Follow{Follower: follower, Followee: of, Since: n.next(), Pull: pull})
			}
		}
	})
}

// post posts chirps of users, each delivered in the given way.
func (n *network) post(count int, how readmodel.Delivery, among []readmodel.Profile) {
	for done := 0; done < count; done += 200 {
		n.apply(func(b *readmodel.Batch) {
			for range min(200, count-done) {
				at, author := n.next(), among[n.random.IntN(len(among))].Key
				b.Chirps = append(b.Chirps, readmodel.Chirp{
					Position: at, ID: domain.ChirpIDFrom(uuidOf(at)), Author: author, PostedAt: time.UnixMilli(int64(at)).UTC(), Delivery: how,
					Content: "Something of the length that most people write when they have a thing to say to others",
				})
				if how == readmodel.Push {
					b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: at, Author: author, Range: readmodel.Range{Through: at}})
				}
			}
		})
	}
}

// page reads the first page of a feed with its authors, and which the viewer follows.
func (n *network) page(viewer domain.UserID) {
	n.Helper()
	r, err := n.service.Open(n.Context(), 0)
	if err != nil {
		n.Fatal(err)
	}
	defer r.Close()
	c, err := r.Feed(n.Context(), viewer, query.Page{})
	if err != nil || len(c.Edges) != 20 {
		n.Fatalf("got %d rows, error %v; want 20", len(c.Edges), err)
	}
	authors := make([]readmodel.UserKey, len(c.Edges))
	for i, e := range c.Edges {
		authors[i] = e.Node.Author
	}
	if _, err := r.UsersByKey(n.Context(), authors); err != nil {
		n.Fatal(err)
	}
	if _, err := r.ViewerFollows(n.Context(), viewer, authors); err != nil {
		n.Fatal(err)
	}
}

// BenchmarkFeedPage reads the first page of feeds from the embedded store: of 1,000
// ordinary users in turn, and of one who follows 21 celebrities and 500 others. "cold"
// has no cache of rows.
func BenchmarkFeedPage(b *testing.B) {
	const celebrities, ordinary = 50, 1000
	n := newNetwork(b)
	for range 10 {
		n.register(1000)
	}
	for i, u := range n.users[celebrities:] {
		count := 12 + n.random.IntN(20)
		if i == 0 {
			count = 700
			n.follow(u.Key, 25, true, n.users[:celebrities])
		}
		n.follow(u.Key, count, false, n.users[celebrities:])
	}
	n.post(40_000, readmodel.Push, n.users[celebrities:])
	n.post(500, readmodel.Pull, n.users[:celebrities])
	n.post(5_000, readmodel.Push, n.users[celebrities:])
	var viewers []domain.UserID
	for _, u := range n.users[celebrities+1 : celebrities+1+ordinary] {
		viewers = append(viewers, u.ID)
	}
	cache := n.service.Cache
	for _, c := range []struct {
		name    string
		viewers []domain.UserID
		cache   *query.Cache
	}{{"ordinary", viewers, cache}, {"celebrities", []domain.UserID{n.users[celebrities].ID}, cache}, {"cold", viewers, nil}} {
		b.Run(c.name, func(b *testing.B) {
			in := *n
			in.B, in.service.Cache = b, c.cache
			for _, v := range c.viewers {
				in.page(v)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				in.page(c.viewers[i%len(c.viewers)])
			}
		})
	}
}
