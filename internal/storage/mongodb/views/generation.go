package views

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

// generationRow is a generation's document in the collection of the views. The
// document is there before the generation's collections and until after them.
type generationRow struct {
	Number int64 `bson:"_id"`
	// Format is that of the rows, which rowsFormat describes.
	Format    int64  `bson:"format,omitempty"`
	Epoch     string `bson:"epoch"`
	Threshold int64  `bson:"threshold"`
	Position  int64  `bson:"position"`
	Partial   int64  `bson:"partial"`
	// Event is the hash of the event at HashedAt, which is Position unless an
	// older version of the program, which writes no hashes, moved the checkpoint.
	Event    int64 `bson:"event,omitempty"`
	HashedAt int64 `bson:"hashedAt,omitempty"`
	// Batch names the Apply that moved the checkpoint last, so that an Apply whose
	// answer was lost can tell its own commit from another projector's.
	Batch bson.ObjectID `bson:"batch,omitempty"`
	// Building is set until the generation serves or is discarded.
	Building bool `bson:"building,omitempty"`
	// Deferred is set while there are no timelines. Built is set once building
	// them has begun.
	Deferred bool           `bson:"deferred,omitempty"`
	Built    *timelinesDone `bson:"made,omitempty"`
	// Retired is when, by the database's clock, the generation stopped serving.
	// For a generation that was discarded it is the beginning of 1970.
	Retired *time.Time `bson:"retired,omitempty"`
	// Held is until when, by the database's clock, the checkpoint must not move.
	Held *time.Time `bson:"held,omitempty"`
	// Dropping is set before the collections are dropped.
	Dropping bool `bson:"dropping,omitempty"`
}

// rowsFormat is increased when the rows of a generation change in a way that another
// version of the program would not understand. Views in another format are replaced.
const rowsFormat = 2

// checkFormat returns an *unfitError for a generation in another format.
func (r generationRow) checkFormat() error {
	if r.Format != rowsFormat {
		return &unfitError{reason: "another version of the program made them"}
	}
	return nil
}

// generation returns what the document says.
func (r generationRow) generation() readmodel.Generation {
	at := readmodel.Checkpoint{Position: domain.Position(r.Position), Partial: domain.Position(r.Partial)}
	if r.HashedAt == r.Position {
		at.Event = domain.EventHash(r.Event)
	}
	return readmodel.Generation{Number: int(r.Number), Epoch: r.Epoch, Threshold: r.Threshold, Checkpoint: at}
}

// servingRow is the document that names the generation that serves. Every
// transaction that makes, switches to or discards a generation writes it, so that
// two of them conflict.
type servingRow struct {
	Generation int64 `bson:"generation"`
	// Last is the greatest number that any generation has had, so that none is used
	// twice.
	Last int64 `bson:"last"`
}

// state is the content of the collection of the views.
type state struct {
	servingRow // zero on an empty store
	rows       map[int64]generationRow
}

// building returns the generation that is being built, if there is one.
func (s state) building() (generationRow, bool) {
	for _, r := range s.rows {
		if r.Building {
			return r, true
		}
	}
	return generationRow{}, false
}

// state reads the whole collection in one read, so that it is consistent.
func (v *Store) state(ctx context.Context) (state, error) {
	s := state{rows: map[int64]generationRow{}}
	cursor, err := v.views.Find(ctx, bson.D{})
	if err != nil {
		return s, err
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		id := cursor.Current.Lookup("_id")
		if name, ok := id.StringValueOK(); ok && name == servingID {
			if err := cursor.Decode(&s.servingRow); err != nil {
				return s, err
			}
			continue
		}
		if id.Type != bson.TypeInt64 {
			continue // not one of ours
		}
		var row generationRow
		if err := cursor.Decode(&row); err != nil {
			return s, err
		}
		s.rows[row.Number] = row
	}
	return s, cursor.Err()
}

// serving reads which generation serves, with its checkpoint. It returns
// readmodel.ErrNoViews for an empty store, and with views in another format an
// *unfitError.
func (v *Store) serving(ctx context.Context) (readmodel.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	s, err := v.state(ctx)
	if err != nil {
		return readmodel.Generation{}, err
	}
	row, ok := s.rows[s.Generation]
	if !ok {
		return readmodel.Generation{}, readmodel.ErrNoViews
	}
	return row.generation(), row.checkFormat()
}
