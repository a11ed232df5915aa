package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// unfitError says why a generation of the views cannot serve, so that another one
// must be built from the log.
type unfitError struct {
	reason string
	// broken is set if a part of the generation is gone.
	broken bool
}

// Error implements error.
func (e *unfitError) Error() string {
	return "the views do not serve, because " + e.reason + "; a server rebuilds them, and so does chirp rebuild"
}

// Unwrap makes the error a readmodel.ErrUnfit of kind Unavailable.
func (e *unfitError) Unwrap() []error { return []error{errUnfitViews, readmodel.ErrUnfit} }

// examine returns an *unfitError for a generation that must not serve.
func (v *Store) examine(ctx context.Context, g readmodel.Generation) error {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	if err := v.checkLog(call, g); err != nil {
		return err
	}
	gone, err := v.collections(g.Number, majority()).gone(call)
	if err == nil && gone != "" {
		err = &unfitError{reason: gone + " is gone", broken: true}
	}
	return err
}

// checkLog returns an *unfitError for a generation that was made from another log,
// or from a history of this one that a restored backup has undone: the log has no
// event at the generation's position, or another one. A log without any events
// says nothing about the views: that is errLogGone. In a transaction, checkLog
// reads the newest data.
func (v *Store) checkLog(ctx context.Context, g readmodel.Generation) error {
	if v.apart {
		return nil
	}
	var log struct {
		Epoch string `bson:"epoch"`
	}
	err := v.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Decode(&log)
	switch at := g.Checkpoint; {
	case errors.Is(err, mongo.ErrNoDocuments):
		return errLogGone
	case err != nil:
		return err
	case log.Epoch != g.Epoch:
		return &unfitError{reason: "they were made from another log"}
	case at.Position == 0:
		return nil
	default:
		return v.checkHistory(ctx, at)
	}
}

// checkHistory returns an *unfitError unless the event at a checkpoint is the one
// that the views were made from.
func (v *Store) checkHistory(ctx context.Context, at readmodel.Checkpoint) error {
	hashes, err := format.ReadHashes(ctx, v.conn.DB().Collection(format.EventsCollection), []domain.Position{1, at.Position})
	if err != nil {
		return err
	}
	switch hash, is := hashes[at.Position]; {
	case hashes[1] == 0:
		return errLogGone
	case !is:
		return &unfitError{reason: fmt.Sprintf("they are at position %d, where the log has no event", at.Position)}
	case at.Event != 0 && at.Event != hash:
		return &unfitError{reason: fmt.Sprintf("they are of another history: at their position %d the log has another event", at.Position)}
	}
	return nil
}

// gone names a collection or an index that a serving generation lacks, or returns
// "". A collection without its index may have been dropped and then created again
// by a write, so rows may be missing too.
func (c collections) gone(ctx context.Context) (string, error) {
	all := c.indexed()
	names := make([]string, len(all))
	for i, of := range all {
		names[i] = of.Name()
	}
	there, err := c.profiles.Database().ListCollectionNames(ctx, bson.D{{Key: "name", Value: in(names)}})
	if err != nil {
		return "", err
	}
	for _, of := range all {
		if !slices.Contains(there, of.Name()) {
			return "the collection " + of.Name(), nil
		}
	}
	for _, of := range all {
		if missing, err := of.lacks(ctx); missing != "" || err != nil {
			return missing, err
		}
	}
	return "", nil
}

// lacks names an index that a collection lacks, or returns "".
func (of indexed) lacks(ctx context.Context) (string, error) {
	specifications, err := of.Indexes().ListSpecifications(ctx)
	if err != nil {
		return "", err
	}
	for _, index := range slices.Concat(of.replay, of.readers) {
		named := func(s mongo.IndexSpecification) bool { return s.Name == index.name }
		if !slices.ContainsFunc(specifications, named) {
			return fmt.Sprintf("the index %s of the collection %s", index.name, of.Name()), nil
		}
	}
	return "", nil
}

// examineEvery is how long the result of an examination is taken to hold.
const examineEvery = time.Second

// examined is the result of the last examination of the serving generation.
type examined struct {
	mu      sync.Mutex
	number  int // of the generation, 0 for none
	at      time.Time
	err     error
	running bool
}

// checkServing is examine for calls that are about to read. It returns a recent
// result, and while one call examines the generation again, it returns the
// previous result to the others.
func (v *Store) checkServing(ctx context.Context, g readmodel.Generation) error {
	e := &v.examined
	e.mu.Lock()
	if e.number == g.Number && (e.running || time.Since(e.at) < examineEvery) {
		defer e.mu.Unlock()
		return e.err
	}
	e.running = e.number == g.Number
	e.mu.Unlock()
	err := v.examine(ctx, g)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running = false
	if err == nil || errors.Is(err, readmodel.ErrUnfit) || errors.Is(err, errLogGone) {
		e.number, e.at, e.err = g.Number, time.Now(), err
	}
	return err
}
