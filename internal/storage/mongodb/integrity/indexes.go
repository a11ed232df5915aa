package integrity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// indexPause is the pause between two attempts to read the indexes.
const indexPause = 20 * time.Millisecond

// mostIndexes is more than any collection can have.
const mostIndexes = 100

// errIndexesGone says that the unique indexes were not there when events were
// inserted.
var errIndexesGone = errors.New("the unique indexes of the events are not as they must be")

// indexRow is an index as the server describes it.
type indexRow struct {
	Name    string   `bson:"name"`
	Keys    bson.Raw `bson:"key"`
	Unique  bool     `bson:"unique"`
	Partial bson.Raw `bson:"partialFilterExpression"`
}

// checkIndexes returns what is wrong with the unique indexes of the events. Because it
// is called for each group of appends, it decodes the server's answer only if that is
// not the last one by which they were right.
func (m *Monitor) checkIndexes(ctx context.Context) (wrong []string, err error) {
	answer, err := m.listIndexes(ctx)
	if err != nil {
		return nil, err
	}
	if right := m.rightIndexes.Load(); right != nil && bytes.Equal(*right, answer.Value) {
		return nil, nil
	}
	var found []indexRow
	if err := answer.Unmarshal(&found); err != nil {
		return nil, err
	}
	if wrong = wrongIndexes(found); len(wrong) == 0 {
		m.rightIndexes.Store(&answer.Value)
	}
	return wrong, nil
}

// listIndexes returns the indexes of the events as the server lists them, at most
// mostIndexes of them. There are none if the collection is not there.
func (m *Monitor) listIndexes(ctx context.Context) (bson.RawValue, error) {
	list := bson.D{{Key: "listIndexes", Value: format.EventsCollection}, {Key: "cursor", Value: bson.D{{Key: "batchSize", Value: mostIndexes}}}}
	reply, err := m.conn.DB().RunCommand(ctx, list).Raw()
	if conn.HasCode(err, conn.CodeNamespaceNotFound) {
		return bson.RawValue{Type: bson.TypeArray, Value: bson.RawArray(bsoncore.BuildArray(nil))}, nil
	}
	if err != nil {
		return bson.RawValue{}, err
	}
	return reply.LookupErr("cursor", "firstBatch")
}

// wrongIndexes returns what is wrong with the unique indexes among those found.
func wrongIndexes(found []indexRow) (wrong []string) {
	byName := map[string]indexRow{}
	for _, i := range found {
		byName[i.Name] = i
	}
	for _, want := range format.UniqueIndexes {
		got, ok := byName[want.Name]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("the collection %s lacks its unique index %s", format.EventsCollection, want.Name))
		case !got.is(want):
			wrong = append(wrong, fmt.Sprintf("the index %s of the collection %s is not the unique one that it must be: drop it", want.Name, format.EventsCollection))
		}
	}
	return wrong
}

// is reports whether an index is unique and has the fields and the filter that
// it must have.
func (i indexRow) is(want format.UniqueIndex) bool {
	elements, err := i.Keys.Elements()
	if err != nil || len(elements) != len(want.Fields) || !i.Unique {
		return false
	}
	for n, e := range elements {
		if order, ok := e.Value().AsInt64OK(); !ok || order != 1 || e.Key() != want.Fields[n] {
			return false
		}
	}
	if want.Filter() == nil {
		return len(i.Partial) == 0
	}
	filter, err := bson.Marshal(want.Filter())
	return err == nil && len(i.Partial) > 0 && i.Partial.String() == bson.Raw(filter).String()
}

// ConfirmIndexes checks, beside a transaction that has inserted events, that the
// unique indexes are there. If so they hold these events, because no index can
// be dropped or created until the transaction is over. The channel receives nil,
// an error that Explain knows, or why it could not be determined.
func (m *Monitor) ConfirmIndexes(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() {
		for {
			wrong, err := m.checkIndexes(ctx)
			switch {
			case err != nil && conn.Transient(err) && ctx.Err() == nil:
				outage.Pause(ctx, indexPause)
				continue
			case err == nil && len(wrong) > 0:
				err = fmt.Errorf("%w: %s", errIndexesGone, strings.Join(wrong, ", "))
			}
			done <- err
			return
		}
	}()
	return done
}
