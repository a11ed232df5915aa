package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// ofTheLog and ofTheViews choose the files or collections of a store that a
// backup holds.
func ofTheLog(name string) bool {
	return slices.Contains([]string{"log.db", "log.db-wal", "log.db-shm", "events", "log", "credentials", "secrets"}, name)
}

func ofTheViews(name string) bool {
	return name == "views" || regexp.MustCompile(`^(views-|(profiles|chirps|follows|timelines)_)[0-9]`).MatchString(name)
}

func everything(string) bool { return true }

// backUp copies the chosen part of a place's data while its server is stopped,
// and returns a func that restores it: files of the embedded store, or
// collections of MongoDB, as mongodump and mongorestore --drop do.
func backUp(t testing.TB, p apitest.Place, of func(name string) bool) (restore func()) {
	t.Helper()
	if p.Args[0] != "--data" {
		return dump(t, database(t, p), of)
	}
	dir, copied := p.Args[1], t.TempDir()
	copyFiles(t, dir, copied, of)
	return func() { copyFiles(t, copied, dir, of) }
}

// copyFiles replaces the chosen files of a folder by another folder's.
func copyFiles(t testing.TB, from, to string, of func(name string) bool) {
	t.Helper()
	removeFiles(t, to, of)
	for _, file := range apitest.Must(os.ReadDir(from))(t) {
		if of(file.Name()) {
			content := apitest.Must(os.ReadFile(filepath.Join(from, file.Name())))(t)
			if err := os.WriteFile(filepath.Join(to, file.Name()), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// removeFiles removes the chosen files of a folder.
func removeFiles(t testing.TB, dir string, of func(name string) bool) {
	t.Helper()
	for _, file := range apitest.Must(os.ReadDir(dir))(t) {
		if of(file.Name()) {
			if err := os.Remove(filepath.Join(dir, file.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// database opens the database of a place directly.
func database(t testing.TB, p apitest.Place) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(p.Args[1]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
	return client.Database(p.Args[3])
}

// dumped is a dump of a collection.
type dumped struct {
	documents []bson.Raw
	indexes   []bson.Raw
}

func dump(t testing.TB, db *mongo.Database, of func(collection string) bool) (restore func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	collections := map[string]dumped{}
	for _, name := range apitest.Must(db.ListCollectionNames(ctx, bson.D{}))(t) {
		if !of(name) {
			continue
		}
		var d dumped
		if err := apitest.Must(db.Collection(name).Find(ctx, bson.D{}))(t).All(ctx, &d.documents); err != nil {
			t.Fatal(err)
		}
		if err := apitest.Must(db.Collection(name).Indexes().List(ctx))(t).All(ctx, &d.indexes); err != nil {
			t.Fatal(err)
		}
		collections[name] = d
	}
	return func() {
		t.Helper()
		for name, d := range collections {
			d.restore(t, db, name)
		}
	}
}

func (d dumped) restore(t testing.TB, db *mongo.Database, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := db.Collection(name).Drop(ctx)
	if err == nil {
		err = db.CreateCollection(ctx, name)
	}
	if err == nil {
		err = db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: d.indexes}}).Err()
	}
	if err == nil && len(d.documents) > 0 {
		_, err = db.Collection(name).InsertMany(ctx, d.documents)
	}
	if err != nil {
		t.Fatalf("restore %s: %v", name, err)
	}
}
