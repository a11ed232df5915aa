// Package query answers questions from the read model: profiles, chirps,
// follows and feeds. Service.Open returns a Reader, which sees the views as they
// are at one moment, so that all parts of one answer are consistent.
package query

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

// defaultReadAfterTimeout is how long Open waits for the read model.
const defaultReadAfterTimeout = 2 * time.Second

// retryPause keeps Open from asking in a busy loop a store that reports a
// position as visible but returns snapshots that don't show it yet.
const retryPause = 10 * time.Millisecond

// Service opens Readers. Its fields are set once, before it is used.
type Service struct {
	// Views is the read model.
	Views readmodel.Store
	// Head returns the position of the last event in the log.
	Head func(ctx context.Context) (domain.Position, error)
	// Hashes returns the hashes of the events at some positions of the log,
	// omitting positions without an event.
	Hashes func(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error)
	// ReadAfterTimeout is how long Open waits for a position, 2 s if zero.
	ReadAfterTimeout time.Duration
	// Consult is called in each reading of a feed. It calls find, which finds the sources
	// besides the timeline that the reading consults, before their chirps are read. If it
	// returns an error, the reading ends with that. It may be nil.
	Consult func(ctx context.Context, find func() (sources int, err error)) error
	// Read is called after each reading for a subscription, with the number of rows. It
	// may be nil.
	Read func(ctx context.Context, rows int)
	// Cache keeps rows that never change. If it is nil, all rows are read.
	Cache *Cache
	// Away is called with each wait of Open for a position, and calls it. It may be
	// nil.
	Away func(ctx context.Context, wait func())
}

// Open returns a Reader whose checkpoint is at least readAfter; 0 takes the views
// as they are. Four things might happen:
//
//  1. The views are there, or get there within the timeout: Open returns a
//     Reader, which the caller closes.
//  2. The position lies beyond the log's head: NotYetVisible, at once.
//  3. The views don't get there in time: NotYetVisible.
//  4. The store cannot answer, or ctx ends: that error.
func (s *Service) Open(ctx context.Context, readAfter domain.Position) (*Reader, error) {
	r, err := s.snapshot(ctx)
	if err != nil || r.Checkpoint() >= readAfter {
		return r, err
	}
	seen := r.Checkpoint()
	r.Close()
	head, err := s.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read after position %d: %w", readAfter, err)
	}
	if readAfter > head {
		return nil, domain.Errorf(domain.NotYetVisible,
			"position %d is beyond the end of the log, which is at %d; check the position", readAfter, head)
	}
	return s.await(ctx, readAfter, seen)
}

// await waits until the views are at a position. seen is their checkpoint when
// they were read last, for the error message.
func (s *Service) await(ctx context.Context, readAfter, seen domain.Position) (*Reader, error) {
	timeout := s.ReadAfterTimeout
	if timeout == 0 {
		timeout = defaultReadAfterTimeout
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		r, err := s.awaitOnce(waiting, readAfter)
		switch {
		case err == nil && r.Checkpoint() >= readAfter:
			return r, nil
		case err == nil:
			// Another generation began to serve, or the answer came from a
			// replica that does not have the checkpoint yet.
			seen = r.Checkpoint()
			r.Close()
			outage.Pause(waiting, retryPause)
		}
		if ctx.Err() == nil && waiting.Err() != nil {
			return nil, domain.Errorf(domain.NotYetVisible,
				"position %d is not visible yet, the views are at %d; try again", readAfter, seen)
		}
		if err != nil {
			return nil, fmt.Errorf("read after position %d: %w", readAfter, err)
		}
	}
}

func (s *Service) awaitOnce(ctx context.Context, readAfter domain.Position) (*Reader, error) {
	if err := s.awaitViews(ctx, readAfter-1); err != nil {
		return nil, err
	}
	return s.snapshot(ctx)
}

func (s *Service) awaitViews(ctx context.Context, beyond domain.Position) (err error) {
	wait := func() { _, err = s.Views.Await(ctx, beyond) }
	if s.Away == nil {
		wait()
	} else {
		s.Away(ctx, wait)
	}
	return err
}

func (s *Service) snapshot(ctx context.Context) (*Reader, error) {
	views, err := s.Views.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the views: %w", err)
	}
	return &Reader{views: views, generation: views.Generation(), service: s}, nil
}

// Reader answers from the views as they are at one moment: up to its
// checkpoint, and nothing beyond it. It may be used from many goroutines.
// Every list is ordered newest first and paged by cursor; the order is by
// position, so paging neither repeats nor skips a row while new ones arrive.
type Reader struct {
	views      readmodel.Snapshot
	generation readmodel.Generation
	service    *Service

	once    sync.Once
	history historyID // of the rows, once it is known

	mu       sync.Mutex
	profiles map[readmodel.UserKey]readmodel.Profile // that were read
	keys     map[domain.UserID]readmodel.UserKey     // of those
	// followed holds, for each viewer whose feed was read, authors who are in it: a feed
	// is of those whom the viewer follows.
	followed map[domain.UserID]map[readmodel.UserKey]bool
}

// Checkpoint returns the position up to which the Reader's views are complete.
func (r *Reader) Checkpoint() domain.Position { return r.generation.Checkpoint.Position }

// Close releases the snapshot. Cursor and Checkpoint still answer afterwards.
func (r *Reader) Close() { r.views.Close() }

// Chirp returns a chirp, or NotFound.
func (r *Reader) Chirp(ctx context.Context, id domain.ChirpID) (readmodel.Chirp, error) {
	c, err := r.views.ChirpByID(ctx, id)
	if err == nil && r.beyond(c.Position) {
		err = readmodel.ErrNotFound
	}
	if err != nil {
		return readmodel.Chirp{}, lookupError(err, "chirp", string(id))
	}
	return c, nil
}

// cached returns the cache and the history whose rows of it are the Reader's. The history
// is 0 if there is none.
func (r *Reader) cached(ctx context.Context) (*Cache, historyID) {
	c := r.service.Cache
	if c == nil {
		return nil, 0
	}
	r.once.Do(func() { r.history = c.history.of(ctx, r.generation, r.service.Hashes) })
	return c, r.history
}

// beyond reports whether the row of position p belongs to an event that is not
// fully applied yet. A store applies a large event in several transactions, so a
// snapshot can hold rows of an event past the checkpoint; readers must not see
// them.
func (r *Reader) beyond(p domain.Position) bool { return p > r.Checkpoint() }

// lookupError maps the absence of a row to a NotFound error for the client.
func lookupError(err error, what, name string) error {
	if errors.Is(err, readmodel.ErrNotFound) {
		return domain.Errorf(domain.NotFound, "there is no %s %.64q", what, name)
	}
	return fmt.Errorf("read %s %.64q: %w", what, name, err)
}
