package views

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// SetChunk makes the views of a store put another number of owners in a
// timeline document, for the measurements behind timelineChunk.
func SetChunk(s readmodel.Store, owners int) { s.(*Store).chunk = owners }

// Database returns the database under the views.
func Database(s readmodel.Store) *mongo.Database { return s.(*Store).conn.DB() }

// Apart makes the views of a store belong to no log, so that they can be filled
// with anything.
func Apart(s readmodel.Store) readmodel.Store {
	s.(*Store).apart = true
	return s
}

// Learn makes the views believe that a majority has a checkpoint.
func Learn(s readmodel.Store, generation int, at domain.Position) {
	s.(*Store).progress.Saw(readmodel.Generation{Number: generation, Checkpoint: readmodel.Checkpoint{Position: at}})
}

// SetMaking makes the views of a store make timelines in smaller steps.
func SetMaking(s readmodel.Store, entries int64) { s.(*Store).perStep = entries }

// OnStep has a function called before each such step.
func OnStep(s readmodel.Store, f func()) { s.(*Store).onStep = f }

// Age makes a snapshot older than it is.
func Age(s readmodel.Snapshot, by time.Duration) {
	old := s.(*snapshot)
	old.opened = old.opened.Add(-by)
}
