package views_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/views"
)

// chunks returns the chunk sizes to measure: those in CHIRP_BENCH_CHUNKS, or 0 for the
// store's own.
func chunks() []int {
	var sizes []int
	for s := range strings.FieldsSeq(os.Getenv("CHIRP_BENCH_CHUNKS")) {
		if n, err := strconv.Atoi(s); err == nil {
			sizes = append(sizes, n)
		}
	}
	if len(sizes) == 0 {
		return []int{0}
	}
	return sizes
}

// stage is a store filled by a benchmark, batch after batch.
type stage struct {
	testing.TB
	store  readmodel.Store
	writer readmodel.Writer
	at     domain.Position
}

func newStage(t testing.TB, chunk int) *stage {
	s := &stage{TB: t, store: openOne(t)}
	if chunk > 0 {
		views.SetChunk(s.store, chunk)
	}
	var err error
	if s.writer, err = s.store.Serving(context.Background(), "epoch", 10_000); err != nil {
		t.Fatal(err)
	}
	return s
}

// apply applies a batch, which moves the checkpoint to the last position that next
// returned.
func (s *stage) apply(from domain.Position, b readmodel.Batch) {
	s.Helper()
	b.From.Position, b.To.Position = from, s.at
	if err := s.writer.Apply(context.Background(), b); err != nil {
		s.Fatal(err)
	}
}

// next returns the next position.
func (s *stage) next() domain.Position { s.at++; return s.at }

// add applies a batch that fill fills, with positions from next.
func (s *stage) add(fill func(b *readmodel.Batch)) {
	s.Helper()
	from := s.at
	var b readmodel.Batch
	fill(&b)
	if s.at == from {
		s.next()
	}
	s.apply(from, b)
}

// serverTime returns the processor time that the server has used so far. On a busy
// machine it means more than the time that has passed.
func (s *stage) serverTime() time.Duration {
	s.Helper()
	var status struct {
		Extra struct {
			User   int64 `bson:"user_time_us"`
			System int64 `bson:"system_time_us"`
		} `bson:"extra_info"`
	}
	if err := views.Database(s.store).RunCommand(context.Background(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		s.Fatal(err)
	}
	return time.Duration(status.Extra.User+status.Extra.System) * time.Microsecond
}

// loop runs a benchmark's loop and reports the server's time for each round,
// and how many units were done per second.
func (s *stage) loop(b *testing.B, each float64, unit string, round func()) {
	before := s.serverTime()
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64((s.serverTime()-before).Microseconds())/1000/float64(b.N), "server-ms/op")
	if unit != "" {
		b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds(), unit+"/s")
	}
}

func idOf(n int64) (u [16]byte) {
	binary.BigEndian.PutUint64(u[:], uint64(n))
	return u
}

func (s *stage) register(b *readmodel.Batch) readmodel.UserKey {
	key := readmodel.UserKey(s.next())
	b.Profiles = append(b.Profiles, profile(key))
	return key
}

func profile(key readmodel.UserKey) readmodel.Profile {
	return readmodel.Profile{
		Key: key, ID: domain.UserIDFrom(idOf(int64(key))), Username: domain.Username(fmt.Sprintf("User_%d", key)), JoinedAt: time.Unix(1_700_000_000, 0),
	}
}

func (s *stage) post(b *readmodel.Batch, author readmodel.UserKey, how readmodel.Delivery) domain.Position {
	at := s.next()
	b.Chirps = append(b.Chirps, readmodel.Chirp{
		Position: at, ID: domain.ChirpIDFrom(idOf(int64(at))), Author: author, Delivery: how,
		Content: "Sixty to eighty characters are what a chirp has on the average day, roughly.", PostedAt: time.Unix(1_700_000_000, 0),
	})
	return at
}

func (s *stage) fanOut(b *readmodel.Batch, author readmodel.UserKey) {
	at := s.post(b, author, readmodel.Push)
	b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: at, Author: author, Range: readmodel.Range{Through: at}})
}

func (s *stage) follow(b *readmodel.Batch, follower, followee readmodel.UserKey, pull bool) {
	b.Follows = append(b.Follows, readmodel.Follow{Follower: follower, Followee: followee, Since: s.next(), Pull: pull})
}

// followers adds n followers of a user, whose keys begin at 1<<32.
func (s *stage) followers(of readmodel.UserKey, n int) {
	for done := 0; done < n; done += 1000 {
		s.add(func(b *readmodel.Batch) {
			for i := range min(1000, n-done) {
				s.follow(b, readmodel.UserKey(1<<32+done+i), of, false)
			}
		})
	}
}

func each(b *testing.B, run func(b *testing.B, chunk int)) {
	for _, chunk := range chunks() {
		if chunk == 0 {
			run(b, 0)
			continue
		}
		b.Run(fmt.Sprintf("chunk=%d", chunk), func(b *testing.B) { run(b, chunk) })
	}
}

// BenchmarkFanOut delivers chirps in batches of up to 10,000 deliveries.
func BenchmarkFanOut(b *testing.B) {
	for _, followers := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			each(b, func(b *testing.B, chunk int) {
				s := newStage(b, chunk)
				var authors []readmodel.UserKey
				s.add(func(*readmodel.Batch) {
					for range 10_000 / followers {
						authors = append(authors, readmodel.UserKey(s.next()))
					}
				})
				for lot := range slices.Chunk(authors, max(1, 1000/followers)) {
					s.add(func(b *readmodel.Batch) {
						if followers > 1000 {
							return
						}
						for _, author := range lot {
							for i := range followers {
								s.follow(b, readmodel.UserKey(1<<32+i), author, false)
							}
						}
					})
				}
				if followers > 1000 {
					s.followers(authors[0], followers)
				}
				s.loop(b, 10_000, "deliveries", func() {
					s.add(func(batch *readmodel.Batch) {
						for _, author := range authors {
							s.fanOut(batch, author)
						}
					})
				})
			})
		})
	}
}

// timelineOfChunks delivers 500 chirps of one author to 1,000 followers.
func (s *stage) timelineOfChunks() (author readmodel.UserKey) {
	s.add(func(b *readmodel.Batch) { author = s.register(b) })
	s.followers(author, 1000)
	for range 50 {
		s.add(func(b *readmodel.Batch) {
			for range 10 {
				s.fanOut(b, author)
			}
		})
	}
	return author
}

// BenchmarkCleanup removes 500 chirps that were fanned out from one timeline.
func BenchmarkCleanup(b *testing.B) {
	each(b, func(b *testing.B, chunk int) {
		s := newStage(b, chunk)
		author := s.timelineOfChunks()
		owner := readmodel.UserKey(1 << 32)
		s.loop(b, 0, "", func() {
			s.add(func(batch *readmodel.Batch) { batch.Cleanups = []readmodel.Delivered{s.all(owner, author)} })
			owner++
			if owner == 1<<32+900 {
				b.Fatal("the timelines are used up; ask for fewer rounds")
			}
		})
	})
}

// BenchmarkBackfill adds 500 chirps to one timeline, and
// BenchmarkBackfillAndCleanup removes them again as well.
func BenchmarkBackfill(b *testing.B)           { backfill(b, false) }
func BenchmarkBackfillAndCleanup(b *testing.B) { backfill(b, true) }

func backfill(b *testing.B, clean bool) {
	s := newStage(b, 0)
	author := s.timelineOfChunks()
	owner := readmodel.UserKey(1 << 40)
	s.loop(b, 0, "", func() {
		s.add(func(batch *readmodel.Batch) { batch.Backfills = []readmodel.Delivered{s.all(owner, author)} })
		if clean {
			s.add(func(batch *readmodel.Batch) { batch.Cleanups = []readmodel.Delivered{s.all(owner, author)} })
		}
		owner++
	})
}

func (s *stage) all(owner, author readmodel.UserKey) readmodel.Delivered {
	return readmodel.Delivered{Owner: owner, Author: author, Range: readmodel.Range{Through: s.at}}
}

// BenchmarkTimeline reads the newest page of a user with 500 followees, each
// with 1,000 followers and 10 chirps.
func BenchmarkTimeline(b *testing.B) {
	each(b, func(b *testing.B, chunk int) {
		s := newStage(b, chunk)
		const owner = readmodel.UserKey(1<<32 + 500)
		var authors []readmodel.UserKey
		for range 500 {
			s.add(func(b *readmodel.Batch) {
				author := s.register(b)
				authors = append(authors, author)
				for i := range 999 {
					s.follow(b, readmodel.UserKey(1<<32+i), author, false)
				}
			})
		}
		for range 2 {
			for lot := range slices.Chunk(authors, 10) {
				s.add(func(b *readmodel.Batch) {
					for _, author := range lot {
						s.fanOut(b, author)
					}
				})
			}
		}
		for _, limit := range []int{20, 100} {
			b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
				s.loop(b, 0, "", func() {
					s.page(limit, func(ctx context.Context, snap readmodel.Snapshot, w readmodel.Window) ([]domain.Position, error) {
						return snap.Timeline(ctx, owner, w)
					})
				})
			})
		}
	})
}

// BenchmarkSourceChirps merges the newest page of up to 5,000 sources of 20 chirps each:
// of celebrities, or of authors whose older chirps end at different positions.
func BenchmarkSourceChirps(b *testing.B) {
	s := newStage(b, 0)
	var authors []readmodel.UserKey
	s.add(func(b *readmodel.Batch) {
		for range 5000 {
			authors = append(authors, s.register(b))
		}
	})
	var pulled, older []readmodel.Source
	for round := range 20 {
		s.add(func(b *readmodel.Batch) {
			for _, author := range authors {
				s.post(b, author, readmodel.Pull)
				if at := s.post(b, author, readmodel.Push); round == 18 {
					pulled = append(pulled, readmodel.Source{Author: author, Delivery: readmodel.Pull})
					older = append(older, readmodel.Source{Author: author, Delivery: readmodel.Push, Through: at})
				}
			}
		})
	}
	for _, n := range []int{10, 200, 1000, 5000} {
		for name, of := range map[string][]readmodel.Source{"pulled": pulled[:n], "older": older[:n]} {
			for _, limit := range []int{20, 100} {
				b.Run(fmt.Sprintf("%s=%d/limit=%d", name, n, limit), func(b *testing.B) {
					in := *s
					in.TB = b
					in.loop(b, 0, "", func() {
						in.page(limit, func(ctx context.Context, snap readmodel.Snapshot, w readmodel.Window) ([]domain.Position, error) {
							return snap.SourceChirps(ctx, of, w)
						})
					})
				})
			}
		}
	}
}

func (s *stage) page(limit int, read func(context.Context, readmodel.Snapshot, readmodel.Window) ([]domain.Position, error)) {
	s.Helper()
	ctx := context.Background()
	snap, err := s.store.Snapshot(ctx)
	if err != nil {
		s.Fatal(err)
	}
	defer snap.Close()
	got, err := read(ctx, snap, readmodel.Window{Limit: limit})
	if err != nil || len(got) != limit {
		s.Fatalf("a page: got %d chirps, error %v; want %d", len(got), err, limit)
	}
}

// BenchmarkMix applies batches like those of a replay: one event in ten registers a
// user, four are follows, and five are posts to a few followers.
func BenchmarkMix(b *testing.B) {
	s := newStage(b, 0)
	users := map[readmodel.UserKey]*readmodel.Profile{}
	var keys []readmodel.UserKey
	random := rand.New(rand.NewPCG(1, 2))
	following := map[[2]readmodel.UserKey]bool{}
	var batch *readmodel.Batch
	touched := map[readmodel.UserKey]bool{}
	one := func() readmodel.UserKey { return keys[random.IntN(len(keys))] }
	event := func() {
		switch n := random.IntN(10); {
		case n == 0 || len(keys) < 10:
			p := profile(readmodel.UserKey(s.next()))
			users[p.Key] = &p
			keys = append(keys, p.Key)
			touched[p.Key] = true
		case n < 5:
			follower, followee := one(), one()
			if follower == followee || following[[2]readmodel.UserKey{follower, followee}] {
				s.next()
				return
			}
			following[[2]readmodel.UserKey{follower, followee}] = true
			pushed := users[followee].Pushed
			s.follow(batch, follower, followee, false)
			users[follower].Following++
			users[followee].Followers++
			touched[follower], touched[followee] = true, true
			if pushed > 0 {
				batch.Backfills = append(batch.Backfills, readmodel.Delivered{Owner: follower, Author: followee, Range: readmodel.Range{Through: s.at}})
			}
		default:
			author := one()
			users[author].Pushed++
			users[author].Chirps++
			touched[author] = true
			s.fanOut(batch, author)
		}
	}
	s.loop(b, 1000, "events", func() {
		s.add(func(b *readmodel.Batch) {
			batch = b
			clear(touched)
			for range 1000 {
				event()
			}
			for key := range touched {
				b.Profiles = append(b.Profiles, *users[key])
			}
		})
	})
}
