// Package views is the readmodel.Store of a database: generations of the views,
// one of which serves, snapshots for queries, writers for a projector, and the
// lease that says which server projects.
package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// Store is the readmodel.Store of a database, which many processes may share.
// The collection of the views has a document for each generation, with its
// checkpoint, and one that names the generation that serves. Each generation has
// collections of its own, described at type collections.
type Store struct {
	conn   *conn.Conn
	views  *mongo.Collection // primary, majority
	lease  *mongo.Collection
	logger *slog.Logger
	// leased is the lease as Lease found it last, nil before that.
	leased atomic.Pointer[leaseRow]
	// chunk is how many owners share a timeline document.
	chunk int
	// perStep is how many timeline entries one transaction inserts when a
	// generation's timelines are built.
	perStep int64
	onStep  func() // for tests, may be nil

	// apart is set, for tests, on views that belong to no log.
	apart    bool
	examined examined
	openings openings

	// progress holds only what a majority has, so it never goes back.
	progress readmodel.Progress
}

const (
	leaseCollection = "lease"
	servingID       = "serving"
)

// readEvery is how often the checkpoint is read while calls wait for it and the
// database signals nothing.
const readEvery = 250 * time.Millisecond

// timelineChunk is how many owners share a timeline document. Fewer make an
// unfollow cheaper, more make a fan-out faster; the measurements are in
// doc/decisions/2026-11-24_timeline-chunks.md.
const timelineChunk = 100

// New opens the views of a database. It reads and writes nothing yet. subscribe
// returns a channel that signals when a checkpoint may have moved, and a func
// that ends the subscription.
func New(c *conn.Conn, logger *slog.Logger, subscribe func() (moved <-chan struct{}, stop func())) *Store {
	v := &Store{
		conn:     c,
		views:    c.DB().Collection(format.ViewsCollection, majority()),
		lease:    c.DB().Collection(leaseCollection, majority()),
		logger:   logger,
		chunk:    timelineChunk,
		perStep:  entriesPerStep,
		progress: readmodel.Progress{Every: readEvery, Subscribe: subscribe},
	}
	v.progress.Read = v.readCheckpoint
	return v
}

// Close ends what runs in the background and every Await.
func (v *Store) Close() { v.progress.Close(errClosed) }

// Await implements readmodel.Store.
func (v *Store) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	return v.progress.Await(ctx, beyond)
}

// readCheckpoint is the progress's Read.
func (v *Store) readCheckpoint(ctx context.Context) error {
	gen, err := v.serving(ctx)
	if err == nil {
		err = v.checkServing(ctx, gen)
	}
	if err != nil {
		return translate(ctx, "read the checkpoint", err)
	}
	v.progress.Observe(gen)
	return nil
}

// majority returns options for reads that no election can undo, and for writes that
// survive one.
func majority() *options.CollectionOptionsBuilder {
	return options.Collection().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority())
}

// Serving implements readmodel.Store. If several servers call it at once for an
// empty store, the first one to write the generation decides, and all return that.
func (v *Store) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	call, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	gen, err := v.checkFit(call)
	if errors.Is(err, readmodel.ErrNoViews) || errors.Is(err, readmodel.ErrUnfit) {
		if err := v.replaceUnfit(call, gen, err, epoch, threshold); err != nil {
			return nil, translate(ctx, "make new views", err)
		}
		gen, err = v.checkFit(call)
	}
	if err != nil {
		return nil, translate(ctx, "open the views", err)
	}
	return v.writer(gen.Number), nil
}

// createTimeout bounds the creation of empty collections and their indexes.
const createTimeout = 30 * time.Second

// Snapshot implements readmodel.Store.
func (v *Store) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	const op = "open a snapshot of the views"
	for end := time.Now().Add(conn.AnswerTimeout); ; {
		s, err := v.openSnapshot(ctx)
		if err != nil {
			return nil, translate(ctx, op, err)
		}
		// Just after an election a primary may not know yet that the newest writes
		// are committed, and then returns an older state.
		if v.progress.IsCurrent(s.gen) {
			v.progress.ObserveSwitch(s.gen)
			return s, nil
		}
		s.Close()
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, fmt.Errorf("%s: %w: %w", op, errStale, readmodel.ErrUnfit) // an earlier state was probably restored
		}
		outage.Pause(ctx, staleRetry)
	}
}

// staleRetry is the pause before a state that was too old is read again.
const staleRetry = 10 * time.Millisecond

// openSnapshot opens a snapshot, which may be older than what was seen before.
func (v *Store) openSnapshot(ctx context.Context) (*snapshot, error) {
	leave, err := v.conn.Gate().Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	of, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	session, err := v.conn.Client().StartSession(options.Session().SetSnapshot(true).SetSnapshotTime(of.at))
	if err != nil {
		return nil, err
	}
	return &snapshot{v: v, session: session, gen: of.gen, c: v.collections(of.gen.Number, majority()), opened: of.began}, nil
}
