package views

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// SetChunk sets how many owners share a timeline document, for the measurements
// behind timelineChunk.
func SetChunk(s readmodel.Store, owners int) { s.(*Store).chunk = owners }

// Database returns the database that has the views.
func Database(s readmodel.Store) *mongo.Database { return s.(*Store).conn.DB() }

// Apart detaches the views from the log, so that a test can fill them with
// anything.
func Apart(s readmodel.Store) readmodel.Store {
	s.(*Store).apart = true
	return s
}

// Learn makes the views record that a majority has a checkpoint.
func Learn(s readmodel.Store, generation int, at domain.Position) {
	s.(*Store).progress.Observe(readmodel.Generation{Number: generation, Checkpoint: readmodel.Checkpoint{Position: at}})
}

// SetStep sets how many timeline entries one step inserts.
func SetStep(s readmodel.Store, entries int64) { s.(*Store).perStep = entries }

// OnStep sets a function that is called before each such step.
func OnStep(s readmodel.Store, f func()) { s.(*Store).onStep = f }

// Age makes a snapshot older than it is.
func Age(s readmodel.Snapshot, by time.Duration) {
	old := s.(*snapshot)
	old.opened = old.opened.Add(-by)
}
