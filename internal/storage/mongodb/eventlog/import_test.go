package eventlog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestImportPassesTheSuite(t *testing.T) {
	eventstoretest.RunImport(t, func(t testing.TB) eventstore.Log { return storetest.OpenImport(t, mongotest.Database(t)) })
}

func TestImportIsRefusedWhileServersUseTheDatabase(t *testing.T) {
	database := mongotest.Database(t)
	_, closeServer := storetest.Open(t, database)
	_, err := mongodb.Open(context.Background(), mongotest.URI(t), database, mongodb.Options{Import: true})
	if domain.KindOf(err) != domain.Invalid || !strings.Contains(fmt.Sprint(err), "127.0.0.1") {
		t.Errorf("Open for an import beside a server: got error %v, want one of kind Invalid that names its address", err)
	}
	closeServer()
	if err := storetest.OpenImport(t, database).Import(t.Context(), "epoch", storetest.OneEvent()); err != nil {
		t.Errorf("Import after the server has gone: %v", err)
	}
}

func TestImportThatDiedAtItsLastStep(t *testing.T) {
	database := mongotest.Database(t)
	running, closeRunning := storetest.Open(t, database)
	client, err := mongo.Connect(options.Client().ApplyURI(mongotest.URI(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	fence := bson.D{{Key: "_id", Value: int64(1)}, {Key: "importing", Value: true}}
	if _, err := client.Database(database).Collection("events").InsertOne(t.Context(), fence); err != nil {
		t.Fatal(err)
	}
	if err := client.Database(database).CreateCollection(t.Context(), "events_import_left"); err != nil {
		t.Fatal(err)
	}
	a := eventstore.Append{
		Events:  []eventstore.NewEvent{{Stream: "s", Type: "t.v1", Data: []byte(`{}`)}},
		Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "a", ID: "c"}, Fingerprint: "f"},
	}
	if _, err := running.Log().Append(t.Context(), a); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Append of a server that is running: got error %v, want one of kind Unavailable", err)
	}
	closeRunning()
	if _, err := mongodb.Open(t.Context(), mongotest.URI(t), database, mongodb.Options{}); domain.KindOf(err) != domain.Invalid || !strings.Contains(fmt.Sprint(err), "again") {
		t.Errorf("Open by a server: got error %v, want one of kind Invalid that says to import again", err)
	}
	log := storetest.OpenImport(t, database)
	if err := log.Import(t.Context(), "epoch", storetest.OneEvent()); err != nil {
		t.Fatalf("Import again: %v", err)
	}
	if head, err := openNewServer(t, database).Head(t.Context()); err != nil || head != (eventstore.Head{Epoch: "epoch", Position: 1}) {
		t.Errorf("Head for a server: got %+v, error %v; want the import's", head, err)
	}
	names, err := client.Database(database).ListCollectionNames(t.Context(), bson.D{})
	if err != nil || strings.Contains(strings.Join(names, " "), "_import_") {
		t.Errorf("collections: got %q, error %v; want none of an import", names, err)
	}
}

func openNewServer(t testing.TB, database string) eventstore.Log {
	t.Helper()
	store, closeStore := storetest.Open(t, database)
	t.Cleanup(closeStore)
	return store.Log()
}

func BenchmarkImport(b *testing.B) {
	eventstoretest.BenchmarkImport(b, func(t testing.TB) eventstore.Log { return storetest.OpenImport(t, mongotest.Database(t)) })
}
