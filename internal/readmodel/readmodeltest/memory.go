package readmodeltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Memory is the plainest implementation of the contract: maps that are copied for
// every batch, and lists that are found by reading every row. The random checks
// compare other stores with it, and the tests of other packages use it as a fast
// store. In one respect it is stricter than required: delivering a chirp to a
// timeline that has it already is an error.
type Memory struct {
	mu     sync.Mutex
	state  *state // the serving one, nil before the first Serving; never changed, only replaced
	holder string
	until  time.Time

	building *state    // nil when none is being built
	held     time.Time // until when a builder holds state
	last     int       // the highest number of a generation so far
	retired  map[int]time.Time

	progress readmodel.Progress
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{retired: make(map[int]time.Time)}
}

type state struct {
	generation readmodel.Generation
	profiles   map[readmodel.UserKey]readmodel.Profile
	chirps     map[domain.Position]readmodel.Chirp
	follows    map[readmodel.Pair]readmodel.Follow
	timelines  map[delivery]bool
}

type delivery struct {
	owner readmodel.UserKey
	chirp domain.Position
}

// Snapshot implements readmodel.Store.
func (m *Memory) Snapshot(context.Context) (readmodel.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		return nil, readmodel.ErrNoViews
	}
	return snapshot{m.state}, nil
}

// Await implements readmodel.Store.
func (m *Memory) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	return m.progress.Await(ctx, beyond)
}

// Serving implements readmodel.Store.
func (m *Memory) Serving(_ context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		m.replace(m.create(epoch, threshold))
	}
	return writer{m, m.state.generation.Number}, nil
}

// create returns an empty generation.
func (m *Memory) create(epoch string, threshold int64) *state {
	m.last++
	return &state{
		generation: readmodel.Generation{Number: m.last, Epoch: epoch, Threshold: threshold},
		profiles:   map[readmodel.UserKey]readmodel.Profile{},
		chirps:     map[domain.Position]readmodel.Chirp{},
		follows:    map[readmodel.Pair]readmodel.Follow{},
		timelines:  map[delivery]bool{},
	}
}

func (m *Memory) replace(s *state) {
	m.state = s
	m.progress.SetServing(s.generation)
}

// Lease implements readmodel.Store.
func (m *Memory) Lease(_ context.Context, holder string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.holder == holder || now.After(m.until) {
		m.holder, m.until = holder, now.Add(ttl)
	}
	return m.holder == holder, nil
}

// LeaseHolder implements readmodel.LeaseHolder.
func (m *Memory) LeaseHolder() (string, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holder, m.until
}

// Release implements readmodel.Store.
func (m *Memory) Release(_ context.Context, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder == holder {
		m.holder, m.until = "", time.Time{}
	}
	return nil
}

type writer struct {
	m      *Memory
	number int
}

// now returns the current state of the writer's generation, or ErrFenced if it
// neither serves nor is being built.
func (w writer) now() (snapshot, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for _, s := range []*state{w.m.state, w.m.building} {
		if s != nil && s.generation.Number == w.number {
			return snapshot{s}, nil
		}
	}
	return snapshot{}, readmodel.ErrFenced
}

func (w writer) Generation(context.Context) (readmodel.Generation, error) {
	s, err := w.now()
	if err != nil {
		return readmodel.Generation{}, err
	}
	return s.Generation(), nil
}

func (w writer) ProfilesByID(_ context.Context, ids []domain.UserID) ([]readmodel.Profile, error) {
	s, err := w.now()
	if err != nil {
		return nil, err
	}
	return pick(s.profiles, func(p readmodel.Profile) bool { return slices.Contains(ids, p.ID) }), nil
}

func (w writer) Follows(_ context.Context, pairs []readmodel.Pair) ([]readmodel.Follow, error) {
	s, err := w.now()
	if err != nil {
		return nil, err
	}
	return pick(s.follows, func(f readmodel.Follow) bool {
		return slices.Contains(pairs, readmodel.Pair{Follower: f.Follower, Followee: f.Followee})
	}), nil
}

func (w writer) FollowersThrough(ctx context.Context, followee readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	s, err := w.now()
	if err != nil {
		return 0, err
	}
	found, err := s.Followers(ctx, followee, readmodel.Window{After: after, Limit: limit, Ascending: true})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[len(found)-1].Since, nil
}

func (w writer) PushedThrough(_ context.Context, author readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	s, err := w.now()
	if err != nil {
		return 0, err
	}
	found := window(s.pushed(author), chirpAt, readmodel.Window{After: after, Limit: limit, Ascending: true})
	if len(found) == 0 {
		return 0, nil
	}
	return found[len(found)-1].Position, nil
}

func (w writer) Apply(_ context.Context, b readmodel.Batch) error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	serving := w.m.state.generation.Number == w.number
	target := w.m.state
	if !serving {
		target = w.m.building
	}
	if target == nil || target.generation.Number != w.number || target.generation.Checkpoint != b.From {
		return readmodel.ErrFenced
	}
	if serving && time.Now().Before(w.m.held) {
		return readmodel.ErrHeld
	}
	next := target.clone()
	next.generation.Checkpoint = b.To
	if err := errors.Join(next.rows(b), next.deliveries(b)); err != nil {
		return fmt.Errorf("apply a batch through %d: %w: %w", b.To.Position, readmodel.ErrDoesNotFit, err)
	}
	if serving {
		w.m.replace(next)
	} else {
		w.m.building = next
	}
	return nil
}

// rows makes the changes of a batch up to Follows.
func (s *state) rows(b readmodel.Batch) error {
	var misfits []error
	for _, p := range b.Profiles {
		s.profiles[p.Key] = p
	}
	ids := make(map[domain.ChirpID]bool)
	for _, c := range s.chirps {
		ids[c.ID] = true
	}
	for _, c := range b.Chirps {
		if _, exists := s.chirps[c.Position]; exists || ids[c.ID] {
			misfits = append(misfits, fmt.Errorf("chirp %d exists", c.Position))
		}
		ids[c.ID] = true
		s.chirps[c.Position] = c
	}
	for _, f := range b.Unfollows {
		at := readmodel.Pair{Follower: f.Follower, Followee: f.Followee}
		if _, exists := s.follows[at]; !exists {
			misfits = append(misfits, fmt.Errorf("no follow %v", at))
		}
		delete(s.follows, at)
	}
	for _, d := range b.Cleanups {
		for _, c := range s.pushed(d.Author) {
			if within(d.Range, c.Position) {
				delete(s.timelines, delivery{d.Owner, c.Position})
			}
		}
	}
	for _, f := range b.Follows {
		at := readmodel.Pair{Follower: f.Follower, Followee: f.Followee}
		if _, exists := s.follows[at]; exists {
			misfits = append(misfits, fmt.Errorf("follow %v exists", at))
		}
		s.follows[at] = f
	}
	return errors.Join(misfits...)
}

// deliveries makes the changes of a batch after Follows.
func (s *state) deliveries(b readmodel.Batch) error {
	var misfits []error
	deliver := func(owner readmodel.UserKey, chirp domain.Position) {
		if s.timelines[delivery{owner, chirp}] {
			misfits = append(misfits, fmt.Errorf("chirp %d is in the timeline of %d", chirp, owner))
		}
		s.timelines[delivery{owner, chirp}] = true
	}
	for _, m := range b.Marks {
		for at, f := range s.follows {
			if f.Followee == m.Followee && within(m.Range, f.Since) {
				f.Pull = true
				s.follows[at] = f
			}
		}
	}
	for _, d := range b.Backfills {
		for _, c := range s.pushed(d.Author) {
			if within(d.Range, c.Position) {
				deliver(d.Owner, c.Position)
			}
		}
	}
	for _, o := range b.FanOuts {
		for _, f := range s.follows {
			if f.Followee == o.Author && within(o.Range, f.Since) {
				deliver(f.Follower, o.Chirp)
			}
		}
	}
	return errors.Join(misfits...)
}

func (s *state) clone() *state {
	return &state{
		generation: s.generation,
		profiles:   maps.Clone(s.profiles),
		chirps:     maps.Clone(s.chirps),
		follows:    maps.Clone(s.follows),
		timelines:  maps.Clone(s.timelines),
	}
}

func (s *state) pushed(author readmodel.UserKey) []readmodel.Chirp {
	return pick(s.chirps, func(c readmodel.Chirp) bool { return c.Author == author && c.Delivery == readmodel.Push })
}

func within(r readmodel.Range, p domain.Position) bool { return p > r.After && p <= r.Through }

// pick returns the values that satisfy a condition, in any order.
func pick[K comparable, R any](rows map[K]R, want func(R) bool) []R {
	var found []R
	for _, r := range rows {
		if want(r) {
			found = append(found, r)
		}
	}
	return found
}

// window returns the rows in a window, in its order.
func window[R any](rows []R, at func(R) domain.Position, w readmodel.Window) []R {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r R) bool {
		return at(r) <= w.After || w.Before != 0 && at(r) >= w.Before
	})
	slices.SortFunc(rows, func(a, b R) int {
		if w.Ascending {
			return cmp.Compare(at(a), at(b))
		}
		return cmp.Compare(at(b), at(a))
	})
	return rows[:min(len(rows), w.Limit)]
}

func chirpAt(c readmodel.Chirp) domain.Position   { return c.Position }
func followAt(f readmodel.Follow) domain.Position { return f.Since }

func sameName(a, b domain.Username) bool { return strings.EqualFold(string(a), string(b)) }
