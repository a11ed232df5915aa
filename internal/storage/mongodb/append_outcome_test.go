package mongodb_test

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
)

// failNoMore undoes failNext.
func failNoMore(t *testing.T, set *mongotest.ReplicaSet) {
	t.Helper()
	off := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "off"}}
	if err := client(t, set.URI()).Database("admin").RunCommand(t.Context(), off).Err(); err != nil {
		t.Fatal(err)
	}
}

// manyTimes is more often than an append tries.
const manyTimes = 100_000

func TestAppendThatFailsSaysWhetherItMayHaveHappened(t *testing.T) {
	t.Parallel()
	set := startOwn(t)
	store, closeStore := openAt(t, set.URI(), "outcome")
	defer closeStore()
	mustAppend(t, store.Log(), to("first", 0, "first"))
	unknown := bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "waited too long"}}}
	for i, c := range []struct {
		name    string
		how     bson.D
		certain bool
		written int // events of the append that are there in the end
	}{
		{"no right to insert", bson.D{commands("insert"), {Key: "errorCode", Value: 13}}, true, 0},
		{"no room for what is inserted", bson.D{commands("insert"), {Key: "errorCode", Value: 14031}}, true, 0},
		{"a hosted service's quota", bson.D{commands("insert"), {Key: "errorCode", Value: 8000}}, true, 0},
		{"the commit is rejected", bson.D{commands("commitTransaction"), {Key: "errorCode", Value: 13}}, true, 0},
		{"the log cannot be read to its end", bson.D{commands("find", "insert"), {Key: "closeConnection", Value: true}}, true, 0},
		{"the commit has no answer", bson.D{commands("commitTransaction"), unknown}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			failNext(t, set, "outcome", manyTimes, c.how)
			name := fmt.Sprint("stream ", i)
			_, err := store.Log().Append(guarded(t), to(name, 0, name))
			failNoMore(t, set)
			if err == nil || errors.Is(err, eventstore.ErrNotAppended) != c.certain {
				t.Errorf("Append: got %v, ErrNotAppended %t; want an error that is ErrNotAppended: %t", err, errors.Is(err, eventstore.ErrNotAppended), c.certain)
			}
			if c.certain {
				mustAppend(t, store.Log(), to("after "+name, 0, "after "+name))
			}
			events, err := store.Log().Load(guarded(t), to(name, 0, name).Events[0].Stream)
			if err != nil || len(events) != c.written {
				t.Errorf("Load: got %d events, error %v; want %d", len(events), err, c.written)
			}
		})
	}
}
