package readmodeltest

import (
	"context"
	"slices"

	"pgregory.net/rapid"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// checkRandom applies random valid batches to the store and to a Memory and compares
// everything that can be read. The rounds share one store, each with users of its
// own. After a round that failed the store is not used again.
func checkRandom(w *world) {
	var r *round
	rapid.Check(w, func(t *rapid.T) {
		if r == nil || !r.passed {
			r = newRound(w)
		}
		r.play(t)
	})
}

type round struct {
	ctx    context.Context
	store  readmodel.Store
	model  *Memory
	a, b   readmodel.Writer // the store's and the model's
	at     readmodel.Checkpoint
	users  []readmodel.UserKey
	passed bool
}

func newRound(w *world) *round {
	r := &round{ctx: context.Background(), store: w.open(w), model: NewMemory()}
	var err error
	r.a, err = r.store.Serving(r.ctx, testEpoch, testThreshold)
	w.ok("Serving", err)
	r.b, err = r.model.Serving(r.ctx, testEpoch, testThreshold)
	w.ok("Serving", err)
	return r
}

func (r *round) play(t *rapid.T) {
	r.passed = false
	first := readmodel.Batch{To: readmodel.Checkpoint{Position: r.at.Position + 4}}
	r.users = nil
	for n := range readmodel.UserKey(4) {
		r.users = append(r.users, readmodel.UserKey(r.at.Position)+n+1)
	}
	first.Profiles = users(r.users...)
	r.apply(t, first)
	for range rapid.IntRange(1, 6).Draw(t, "batches") {
		b := r.draw(t)
		r.apply(t, b)
		r.compare(t)
	}
	r.passed = true
}

func (r *round) apply(t *rapid.T, b readmodel.Batch) {
	b.From = r.at
	if err := r.b.Apply(r.ctx, b); err != nil {
		t.Fatalf("the check generated a batch that does not fit: %v\n%+v", err, b)
	}
	if err := r.a.Apply(r.ctx, b); err != nil {
		t.Fatalf("Apply: %v\n%+v", err, b)
	}
	r.at = b.To
}

func (r *round) compare(t *rapid.T) {
	w := readmodel.Window{
		After:     domain.Position(rapid.Int64Range(int64(r.users[0])-1, int64(r.at.Position)).Draw(t, "after")),
		Before:    domain.Position(rapid.Int64Range(int64(r.users[0]), int64(r.at.Position)+1).Draw(t, "before")),
		Limit:     rapid.IntRange(1, 8).Draw(t, "limit"),
		Ascending: rapid.Bool().Draw(t, "ascending"),
	}
	// No window reaches beyond the checkpoint, where a fan-out may have delivered
	// chirps whose rows do not exist yet.
	whole := readmodel.Window{Before: r.at.Position + 1, Limit: 1000}
	for _, w := range []readmodel.Window{whole, w} {
		got, want := r.view(t, r.store, w), r.view(t, r.model, w)
		if d := diff(got, want); d != "" {
			t.Fatalf("in window %+v (- want, + got):\n%s", w, d)
		}
	}
	r.compareRecent(t, w)
	for _, k := range r.users {
		r.compareThrough(t, k, w.After, w.Limit)
	}
	r.compareFollows(t)
}

func (r *round) compareFollows(t *rapid.T) {
	pairs := r.pairs(t, "pairs")
	read := func(w readmodel.Writer) []readmodel.Follow {
		found, err := w.Follows(r.ctx, pairs)
		if err != nil {
			t.Fatalf("Follows: %v", err)
		}
		sortBy(found, func(f readmodel.Follow) int64 { return int64(f.Since) })
		return found
	}
	if d := diff(read(r.a), read(r.b)); d != "" {
		t.Fatalf("follows of %v (- want, + got):\n%s", pairs, d)
	}
}

func (r *round) compareThrough(t *rapid.T, k readmodel.UserKey, after domain.Position, limit int) {
	for name, through := range map[string]func(readmodel.Writer) (domain.Position, error){
		"FollowersThrough": func(w readmodel.Writer) (domain.Position, error) { return w.FollowersThrough(r.ctx, k, after, limit) },
		"PushedThrough":    func(w readmodel.Writer) (domain.Position, error) { return w.PushedThrough(r.ctx, k, after, limit) },
	} {
		got, err := through(r.a)
		want, _ := through(r.b)
		if err != nil || got != want {
			t.Fatalf("%s %d after %d, %d rows, returned %d, %v, want %d", name, k, after, limit, got, err, want)
		}
	}
}

func (r *round) view(t *rapid.T, store readmodel.Store, w readmodel.Window) view {
	s, err := store.Snapshot(r.ctx)
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer s.Close()
	v, err := readView(r.ctx, s, r.users, w)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// draw returns a random batch that fits. It performs the steps on a copy of the model
// as it draws them, so that later steps fit what earlier ones leave.
func (r *round) draw(t *rapid.T) readmodel.Batch {
	s := r.model.state.clone()
	var b readmodel.Batch
	at := r.at.Position
	next := func() domain.Position { at++; return at }
	r.drawRows(t, &b, s, next)
	r.drawFollows(t, &b, s, next)
	r.drawDeliveries(t, &b, s)
	b.To = readmodel.Checkpoint{Position: at, Partial: r.at.Partial + 1}
	if rapid.Bool().Draw(t, "whole") {
		b.To = readmodel.Checkpoint{Position: at + 1}
	}
	return b
}

func (r *round) drawRows(t *rapid.T, b *readmodel.Batch, s *state, next func() domain.Position) {
	for _, k := range r.some(t, "profiles") {
		p := s.profiles[k]
		p.Followers, p.Pushed = rapid.Int64Range(0, 99).Draw(t, "followers"), p.Pushed+1
		p.Celebrity = !p.Celebrity
		p.Split = p.NextSplit
		p.NextSplit = readmodel.Split{Older: r.at.Position, Skipped: p.Pushed}
		b.Profiles = append(b.Profiles, p)
	}
	for range rapid.IntRange(0, 4).Draw(t, "chirps") {
		how := rapid.SampledFrom([]readmodel.Delivery{push, push, pull}).Draw(t, "delivery")
		c := chirps(rapid.SampledFrom(r.users).Draw(t, "author"), how, next())
		s.chirps[c[0].Position] = c[0]
		b.Chirps = append(b.Chirps, c...)
	}
}

func (r *round) drawFollows(t *rapid.T, b *readmodel.Batch, s *state, next func() domain.Position) {
	for _, at := range r.pairs(t, "unfollows") {
		if f, exists := s.follows[at]; exists {
			delete(s.follows, at)
			b.Unfollows = append(b.Unfollows, f)
		}
	}
	for _, at := range r.pairs(t, "cleanups") {
		d := readmodel.Delivered{Owner: at.Follower, Author: at.Followee, Range: r.span(t, s)}
		b.Cleanups = append(b.Cleanups, d)
		for _, c := range s.pushed(d.Author) {
			if within(d.Range, c.Position) {
				delete(s.timelines, delivery{d.Owner, c.Position})
			}
		}
	}
	for _, at := range r.pairs(t, "follows") {
		if _, exists := s.follows[at]; !exists {
			f := follow(at.Follower, at.Followee, next())
			f.Pull = rapid.Bool().Draw(t, "pull")
			if rapid.Bool().Draw(t, "skips") {
				f.Split = readmodel.Split{Older: r.end(t, s), Skipped: rapid.Int64Range(0, 99).Draw(t, "skipped")}
			}
			s.follows[at] = f
			b.Follows = append(b.Follows, f)
		}
	}
}

// drawDeliveries draws marks, backfills and fan-outs. It omits those that would
// deliver a chirp to a timeline that has it.
func (r *round) drawDeliveries(t *rapid.T, b *readmodel.Batch, s *state) {
	for _, k := range r.some(t, "marks") {
		b.Marks = append(b.Marks, readmodel.Mark{Followee: k, Range: r.span(t, s)})
	}
	for _, at := range r.pairs(t, "backfills") {
		d := readmodel.Delivered{Owner: at.Follower, Author: at.Followee, Range: r.span(t, s)}
		if trial := s.clone(); trial.deliveries(readmodel.Batch{Backfills: []readmodel.Delivered{d}}) == nil {
			b.Backfills, *s = append(b.Backfills, d), *trial
		}
	}
	pushed := pick(s.chirps, func(c readmodel.Chirp) bool { return c.Delivery == push && slices.Contains(r.users, c.Author) })
	for _, c := range window(pushed, chirpAt, readmodel.Window{Limit: 4}) {
		o := readmodel.FanOut{Chirp: c.Position, Author: c.Author, Range: r.span(t, s)}
		if trial := s.clone(); trial.deliveries(readmodel.Batch{FanOuts: []readmodel.FanOut{o}}) == nil {
			b.FanOuts, *s = append(b.FanOuts, o), *trial
		}
	}
}

// some draws a few of the users.
func (r *round) some(t *rapid.T, what string) []readmodel.UserKey {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(r.users), 0, 3, rapid.ID[readmodel.UserKey]).Draw(t, what)
}

// pairs draws a few pairs of different users.
func (r *round) pairs(t *rapid.T, what string) []readmodel.Pair {
	one := rapid.Custom(func(t *rapid.T) readmodel.Pair {
		return readmodel.Pair{Follower: rapid.SampledFrom(r.users).Draw(t, "follower"), Followee: rapid.SampledFrom(r.users).Draw(t, "followee")}
	})
	drawn := rapid.SliceOfNDistinct(one, 0, 5, rapid.ID[readmodel.Pair]).Draw(t, what)
	return slices.DeleteFunc(drawn, func(p readmodel.Pair) bool { return p.Follower == p.Followee })
}

// span draws a range of the round's positions.
func (r *round) span(t *rapid.T, s *state) readmodel.Range {
	if rapid.Bool().Draw(t, "all") {
		return through(0, r.at.Position+100)
	}
	a, b := r.end(t, s), r.end(t, s)
	return through(min(a, b), max(a, b))
}

// end draws an end of a range: about every other time at the position of a row,
// because that is where an error by one has an effect.
func (r *round) end(t *rapid.T, s *state) domain.Position {
	from := domain.Position(r.users[0])
	var rows []domain.Position
	for at := range s.chirps {
		rows = append(rows, at)
	}
	for _, f := range s.follows {
		rows = append(rows, f.Since)
	}
	rows = slices.DeleteFunc(rows, func(at domain.Position) bool { return at < from })
	if len(rows) > 0 && rapid.Bool().Draw(t, "at a row") {
		slices.Sort(rows)
		return rapid.SampledFrom(rows).Draw(t, "row")
	}
	return domain.Position(rapid.Int64Range(int64(from), int64(r.at.Position)+9).Draw(t, "position"))
}
