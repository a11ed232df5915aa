package format

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
)

const (
	// endDocs is how many documents a look at the end of the log reads: the
	// last event and the one before it.
	endDocs = 2
	// manyEndDocs is how many it reads when strays are among them.
	manyEndDocs = 200
)

// ImportingField marks the document that an import puts at position 1 while it
// replaces the events.
const ImportingField = "importing"

// ErrImporting is returned by servers that read a log which is being replaced.
var ErrImporting = domain.Errorf(domain.Unavailable, "an import into this database was broken off at its last step; run it again")

// Damage is an error that says what is wrong with the log itself, so that
// nothing may be appended to it.
type Damage struct{ What string }

// Error implements error.
func (d *Damage) Error() string { return d.What }

// LastEvent describes the end of the log.
type LastEvent struct {
	// Position is the position of the last event, 0 in an empty log.
	Position domain.Position
	// Ticket is the ticket under which it was appended, 0 if there was none.
	Ticket int64
	// Beyond names the strays with greater numbers, at whose positions the next
	// events would have to be inserted.
	Beyond []string
}

// Check returns a *Damage unless events can be appended after the last one of a
// log that has been at the position furthest.
func (e LastEvent) Check(furthest domain.Position) error {
	switch {
	case e.Position < furthest:
		return &Damage{fmt.Sprintf("the log ends at position %d, and has been at %d", e.Position, furthest)}
	case len(e.Beyond) > 0:
		return &Damage{"documents that are not events stand beyond the end of the log"}
	}
	return nil
}

// ReadLast finds the last event. It returns a *Damage if the end cannot be
// determined, and ErrImporting if the events are being replaced.
func ReadLast(ctx context.Context, events *mongo.Collection) (LastEvent, error) {
	for _, limit := range []int{endDocs, manyEndDocs} {
		docs, err := readEnd(ctx, events, limit)
		if err != nil {
			return LastEvent{}, err
		}
		last, enough, err := endOf(docs, len(docs) < limit)
		if enough || err != nil {
			return last, err
		}
	}
	return LastEvent{}, &Damage{fmt.Sprintf("the end of the log cannot be determined, because more than %d documents with greater numbers are not events", manyEndDocs-endDocs)}
}

// readEnd reads the documents with the greatest numbers, the greatest first.
func readEnd(ctx context.Context, events *mongo.Collection, limit int) ([]bsoncore.Document, error) {
	fields := append(slices.Clone(EventFields), bson.E{Key: TicketField, Value: 1}, bson.E{Key: ImportingField, Value: 1})
	cursor, err := events.Find(ctx, numberIDs, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).
		SetLimit(int64(limit)).SetBatchSize(int32(limit+1)).SetProjection(fields))
	if err != nil {
		return nil, err
	}
	var docs []bsoncore.Document
	for cursor.Next(ctx) {
		docs = append(docs, slices.Clone(bsoncore.Document(cursor.Current)))
	}
	return docs, errors.Join(cursor.Err(), cursor.Close(ctx))
}

// endOf finds the last event among the documents with the greatest numbers,
// which are all documents of the log if all is set. The last event is the
// greatest document that is an event; the event before it must be there too,
// and enough is false if these documents do not show it.
func endOf(docs []bsoncore.Document, all bool) (last LastEvent, enough bool, err error) {
	for _, doc := range docs {
		position, ok := EventPosition(doc)
		switch {
		case doc.Lookup(ImportingField).Type != 0:
			return LastEvent{}, true, ErrImporting
		case !ok && last.Position == 0:
			last.Beyond = append(last.Beyond, DescribeStray(doc))
		case !ok: // a stray between the last two events
		case last.Position == 0:
			last.Position = position
			last.Ticket, _ = doc.Lookup(TicketField).AsInt64OK()
			if position == 1 {
				return last, true, nil
			}
		case position == last.Position-1:
			return last, true, nil
		default:
			return LastEvent{}, true, gap(position, last.Position)
		}
	}
	if all && last.Position > 1 {
		return LastEvent{}, true, gap(0, last.Position)
	}
	return last, all, nil
}

// gap returns the error that there are no events between two positions.
func gap(before, after domain.Position) error {
	missing := fmt.Sprintf("the events %d to %d are", before+1, after-1)
	if before+2 == after {
		missing = fmt.Sprintf("the event %d is", before+1)
	}
	return &Damage{fmt.Sprintf("the log has a gap: %s missing before the one at position %d", missing, after)}
}
