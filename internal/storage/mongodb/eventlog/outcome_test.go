package eventlog_test

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/storetest"
)

func TestAppendThatFailsSaysWhetherItMayHaveHappened(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "outcome")
	defer closeStore()
	storetest.MustAppend(t, store.Log(), storetest.To("first", 0, "first"))
	unknown := bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "waited too long"}}}
	for i, c := range []struct {
		name    string
		how     bson.D
		certain bool
		written int // events of the append that are in the log afterwards
	}{
		{"no right to insert", bson.D{storetest.Commands("insert"), {Key: "errorCode", Value: 13}}, true, 0},
		{"no room for what is inserted", bson.D{storetest.Commands("insert"), {Key: "errorCode", Value: 14031}}, true, 0},
		{"a hosted service's quota", bson.D{storetest.Commands("insert"), {Key: "errorCode", Value: 8000}}, true, 0},
		{"the commit is rejected", bson.D{storetest.Commands("commitTransaction"), {Key: "errorCode", Value: 13}}, true, 0},
		{"the log cannot be read to its end", bson.D{storetest.Commands("find", "insert"), {Key: "closeConnection", Value: true}}, true, 0},
		{"the commit has no answer", bson.D{storetest.Commands("commitTransaction"), unknown}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.FailNext(t, set, "outcome", storetest.Many, c.how)
			name := fmt.Sprint("stream ", i)
			_, err := store.Log().Append(storetest.Bounded(t), storetest.To(name, 0, name))
			storetest.StopFailing(t, set)
			if err == nil || errors.Is(err, eventstore.ErrNotAppended) != c.certain {
				t.Errorf("Append: got %v, ErrNotAppended %t; want an error that is ErrNotAppended: %t", err, errors.Is(err, eventstore.ErrNotAppended), c.certain)
			}
			if c.certain {
				storetest.MustAppend(t, store.Log(), storetest.To("after "+name, 0, "after "+name))
			}
			events, err := store.Log().Load(storetest.Bounded(t), storetest.To(name, 0, name).Events[0].Stream)
			if err != nil || len(events) != c.written {
				t.Errorf("Load: got %d events, error %v; want %d", len(events), err, c.written)
			}
		})
	}
}
