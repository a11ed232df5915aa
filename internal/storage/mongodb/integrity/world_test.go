package integrity_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/logtest"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// openMonitored opens a new database with three events, and returns the database of
// another client beside the store.
func openMonitored(t *testing.T) (store *mongodb.Store, db *mongo.Database, log *logtest.Recorder) {
	t.Helper()
	db = storetest.Client(t, mongotest.URI(t)).Database(mongotest.Database(t))
	log = &logtest.Recorder{}
	store, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{Log: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for i := range 3 {
		storetest.MustAppend(t, store.Log(), storetest.To(fmt.Sprint("s", i), 0, fmt.Sprint("before ", i)))
	}
	storetest.Eventually(t, "the first event is recorded", func() bool {
		return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "first.stream", Value: "s0"}}).Err() == nil
	})
	return store, db, log
}

// hasProblem returns a condition: a problem or a notice of the store has a text.
func hasProblem(store *mongodb.Store, text string) func() bool {
	return func() bool {
		return strings.Contains(strings.Join(append(store.Problems(), store.Notices()...), "\n"), text)
	}
}

// soundAgain returns a condition: the store reports nothing.
func soundAgain(store *mongodb.Store) func() bool {
	return func() bool { return len(store.Problems())+len(store.Notices()) == 0 }
}

func wantHead(t *testing.T, log eventstore.Log, want domain.Position) {
	t.Helper()
	if head, err := log.Head(t.Context()); err != nil || head.Position != want {
		t.Errorf("Head: got %d, error %v; want %d", head.Position, err, want)
	}
}

// wantRefused appends, which must be refused without waiting.
func wantRefused(t *testing.T, log eventstore.Log, name string) {
	t.Helper()
	began := time.Now()
	c, err := log.Append(t.Context(), storetest.To(name, 0, name))
	if domain.KindOf(err) != domain.Unavailable || !strings.Contains(fmt.Sprint(err), "cannot be relied on") || time.Since(began) > 4*time.Second {
		t.Errorf("Append: got position %d and error %v after %s, want it refused at once as Unavailable", c.Position(), err, time.Since(began))
	}
}

// wantEvents reads the whole log and counts it.
func wantEvents(t *testing.T, log eventstore.Log, want int) {
	t.Helper()
	for _, limit := range []int{1, 2, 1000} {
		var got []eventstore.Event
		for {
			more, err := log.ReadAll(t.Context(), domain.Position(len(got)), limit)
			if err != nil {
				t.Fatalf("ReadAll after %d: %v", len(got), err)
			}
			if len(more) == 0 {
				break
			}
			got = append(got, more...)
		}
		if len(got) != want {
			t.Errorf("ReadAll, %d at a time: got %d events, want %d", limit, len(got), want)
		}
	}
}
