package views

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

// generationRow is a generation's document in the views collection. The
// document is there before the collections and until after them.
type generationRow struct {
	Number    int64  `bson:"_id"`
	Epoch     string `bson:"epoch"`
	Threshold int64  `bson:"threshold"`
	Position  int64  `bson:"position"`
	Partial   int64  `bson:"partial"`
	// Event is the hash of the event at HashedAt, which is Position unless a
	// version of the program moved it that knows no hashes.
	Event    int64 `bson:"event,omitempty"`
	HashedAt int64 `bson:"hashedAt,omitempty"`
	// Batch names the Apply that moved the checkpoint last, so that one whose
	// answer was lost can be told from another projector's.
	Batch bson.ObjectID `bson:"batch,omitempty"`
	// Building is set until the generation serves or is discarded.
	Building bool `bson:"building,omitempty"`
	// Deferred is set while there are no timelines, and Made when their making
	// has begun. See type made.
	Deferred bool  `bson:"deferred,omitempty"`
	Made     *made `bson:"made,omitempty"`
	// Retired is when, by the database's clock, the generation ceased to serve;
	// of one that was discarded, long ago.
	Retired *time.Time `bson:"retired,omitempty"`
	// Held is until when, by the database's clock, the checkpoint stays.
	Held *time.Time `bson:"held,omitempty"`
	// Dropping is set before the collections are dropped.
	Dropping bool `bson:"dropping,omitempty"`
}

func (r generationRow) generation() readmodel.Generation {
	at := readmodel.Checkpoint{Position: domain.Position(r.Position), Partial: domain.Position(r.Partial)}
	if r.HashedAt == r.Position {
		at.Event = domain.EventHash(r.Event)
	}
	return readmodel.Generation{Number: int(r.Number), Epoch: r.Epoch, Threshold: r.Threshold, Checkpoint: at}
}

// servingRow is the document that names the generation that serves. Whatever
// makes, turns to or discards a generation writes it, so that of two who do it
// at once one comes after the other.
type servingRow struct {
	Generation int64 `bson:"generation"`
	// Last is the highest number that any generation ever had, so that none is
	// given twice.
	Last int64 `bson:"last"`
}

// state is what the views collection holds.
type state struct {
	servingRow // zero on an empty store
	rows       map[int64]generationRow
}

// building gives the generation that is being built, if there is one.
func (s state) building() (generationRow, bool) {
	for _, r := range s.rows {
		if r.Building {
			return r, true
		}
	}
	return generationRow{}, false
}

// state reads the collection in one read, so that all of it belongs together.
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
			continue // none of ours
		}
		var row generationRow
		if err := cursor.Decode(&row); err != nil {
			return s, err
		}
		s.rows[row.Number] = row
	}
	return s, cursor.Err()
}

// serving reads which generation serves and where it stands. It gives
// errNoViews on an empty store.
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
	return row.generation(), nil
}
