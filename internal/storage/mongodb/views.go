package mongodb

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Views are the read model on MongoDB, for many processes at once. The
// collection viewsCollection has a document for each generation, with its
// checkpoint, and one that names the generation that serves. Each generation
// has collections of its own, described at type collections.
type Views struct {
	db    *mongo.Database
	views *mongo.Collection // primary, majority
	lease *mongo.Collection
	// chunk is how many owners share a timeline document.
	chunk int
	// perStep is how many timeline entries one transaction makes when a
	// generation's timelines are made.
	perStep int64
	onStep  func() // for tests, may be nil

	// subscribe gives a channel that says, now and then too often, that some
	// checkpoint may have moved, and a func that ends the subscription.
	subscribe func() (moved <-chan struct{}, stop func())
	progress  progress
	life      context.Context // ends with Close
	end       context.CancelFunc
	watchers  sync.WaitGroup
}

const (
	viewsCollection = "views"
	leaseCollection = "lease"
	servingID       = "serving"
)

// timelineChunk is how many owners share a timeline document. Fewer make an
// unfollow cheaper, more make a fan-out faster; the measurements are in
// doc/decisions/2026-11-24_timeline-chunks.md.
const timelineChunk = 100

var errNoViews = &domain.Error{Kind: domain.Unavailable, Msg: "the read model is being set up; try again in a moment"}

// newViews opens the views of a database. It reads and writes nothing yet.
func newViews(db *mongo.Database, subscribe func() (moved <-chan struct{}, stop func())) *Views {
	v := &Views{
		db:        db,
		views:     db.Collection(viewsCollection, majority()),
		lease:     db.Collection(leaseCollection, majority()),
		chunk:     timelineChunk,
		perStep:   madePerStep,
		subscribe: subscribe,
	}
	v.life, v.end = context.WithCancel(context.Background())
	return v
}

// Close ends what runs in the background and every Await.
func (v *Views) Close() {
	v.end()
	v.progress.close()
	v.watchers.Wait()
}

// majority makes what is read never be taken back, and what is written survive.
func majority() *options.CollectionOptionsBuilder {
	return options.Collection().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority())
}

// Serving implements readmodel.Store. Several servers may call it at once on
// an empty store: whichever writes the generation first decides, and all see
// what it wrote.
func (v *Views) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	const first = 1
	gen, err := v.serving(ctx)
	if errors.Is(err, errNoViews) {
		call, cancel := context.WithTimeout(ctx, createTimeout)
		defer cancel()
		if err := v.create(call, first, epoch, threshold); err != nil {
			return nil, translate(ctx, "create the views", err)
		}
		if err := v.serve(call, first); err != nil {
			return nil, translate(ctx, "create the views", err)
		}
		gen, err = v.serving(ctx)
	}
	if err != nil {
		return nil, translate(ctx, "open the views", err)
	}
	return v.writer(gen.Number), nil
}

// createTimeout bounds the making of empty collections and their indexes.
const createTimeout = 30 * time.Second

// create makes a generation's collections, its indexes and, last, the document
// that stands for it.
func (v *Views) create(ctx context.Context, number int, epoch string, threshold int64) error {
	if err := v.collections(number, majority()).create(ctx, forReaders); err != nil {
		return err
	}
	return insertOnce(ctx, v.views, generationRow{Number: int64(number), Epoch: epoch, Threshold: threshold})
}

// serve names the serving generation of an empty store.
func (v *Views) serve(ctx context.Context, number int) error {
	return insertOnce(ctx, v.views, bson.D{{Key: "_id", Value: servingID}, {Key: "generation", Value: int64(number)}, {Key: "last", Value: int64(number)}})
}

// insertOnce leaves a document alone that is there already.
func insertOnce(ctx context.Context, c *mongo.Collection, document any) error {
	_, err := c.InsertOne(ctx, document)
	if mongo.IsDuplicateKeyError(err) {
		return nil
	}
	return err
}

// Snapshot implements readmodel.Store.
func (v *Views) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	const op = "open a snapshot of the views"
	for end := time.Now().Add(answerTimeout); ; {
		s, err := v.openSnapshot(ctx)
		if err != nil {
			return nil, translate(ctx, op, err)
		}
		// Just after an election a primary may not know yet that the newest
		// writes are committed, and give an older moment.
		if v.progress.reached(s.gen) {
			return s, nil
		}
		s.Close()
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, translate(ctx, op, errStale)
		}
		pause(ctx, staleRetry)
	}
}

const staleRetry = 10 * time.Millisecond

var errStale = &domain.Error{Kind: domain.Unavailable, Msg: "the database shows an older state than it did before; try again in a moment"}

func (v *Views) openSnapshot(ctx context.Context) (*snapshot, error) {
	session, err := v.db.Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return nil, err
	}
	opened := time.Now()
	gen, err := v.serving(mongo.NewSessionContext(ctx, session))
	if err != nil {
		session.EndSession(ctx)
		return nil, err
	}
	return &snapshot{v: v, session: session, gen: gen, c: v.collections(gen.Number, majority()), opened: opened}, nil
}
