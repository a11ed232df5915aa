package conn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// openTransactions counts the transactions that a server has open.
func openTransactions(t testing.TB, set *mongotest.ReplicaSet) int64 {
	t.Helper()
	var status struct {
		Transactions struct {
			Open int64 `bson:"currentOpen"`
		} `bson:"transactions"`
	}
	if err := storetest.Client(t, set.URI()).Database("admin").RunCommand(t.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		t.Fatal(err)
	}
	return status.Transactions.Open
}

func TestACommitIsFinishedWhenItsCallerIsStopped(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "finished")
	w, err := store.Views().Serving(t.Context(), storetest.Epoch(t, store), 10)
	if err != nil {
		t.Fatal(err)
	}
	storetest.FailNext(t, set, "finished", 1, bson.D{storetest.Commands("commitTransaction"), {Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 1000}})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for openTransactions(t, set) == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // the commit is on its way
		stop()
	}()
	err = w.Apply(ctx, readmodel.Batch{To: readmodel.Checkpoint{Position: 1}})
	closeStore()
	if n := openTransactions(t, set); n != 0 {
		t.Errorf("open transactions after Close: got %d, want 0 (Apply returned %v)", n, err)
	}
}

func TestCloseEndsTransactionsWhoseAbortWasLost(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	for name, leave := range map[string]func(t *testing.T, store *mongodb.Store){
		"an append that met a conflict": func(t *testing.T, store *mongodb.Store) {
			storetest.MustAppend(t, store.Log(), storetest.To("s", 0, "first"))
			if _, err := store.Log().Append(t.Context(), storetest.To("s", 0, "second")); !errors.Is(err, eventstore.ErrConflict) {
				t.Errorf("Append: got %v, want ErrConflict", err)
			}
		},
		"a batch that was fenced": func(t *testing.T, store *mongodb.Store) {
			w, err := store.Views().Serving(t.Context(), storetest.Epoch(t, store), 10)
			if err != nil {
				t.Fatal(err)
			}
			err = w.Apply(t.Context(), readmodel.Batch{From: readmodel.Checkpoint{Position: 5}, To: readmodel.Checkpoint{Position: 6}})
			if !errors.Is(err, readmodel.ErrFenced) {
				t.Errorf("Apply: got %v, want ErrFenced", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			database := "left" + bson.NewObjectID().Hex()
			store, closeStore := storetest.OpenAt(t, set.URI(), database)
			storetest.FailNext(t, set, database, 1_000_000, bson.D{storetest.Commands("abortTransaction"), {Key: "closeConnection", Value: true}})
			leave(t, store)
			if n := openTransactions(t, set); n == 0 {
				t.Error("no transaction is open before Close, so this test has tested nothing")
			}
			closeStore()
			if n := openTransactions(t, set); n != 0 {
				t.Errorf("open transactions after Close: got %d, want 0", n)
			}
		})
	}
}
