package mongodb_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// TestDocDescribesTheDatabase compares the package's documentation with a
// database: it has every collection, every field with its type, and every index.
func TestDocDescribesTheDatabase(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	doc := parsed.Doc.Text()
	store, closeStore := storetest.Open(t, mongotest.Database(t))
	defer closeStore()
	db := mongodb.Database(store)
	useAll(t, store)
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil || len(names) < 11 {
		t.Fatalf("collections: got %q, error %v; want at least 11", names, err)
	}
	for _, name := range names {
		kind := regexp.MustCompile(`_\d+$`).ReplaceAllString(name, "_N")
		t.Run(kind, func(t *testing.T) {
			if !regexp.MustCompile(`(?m)^\t` + kind + `\b|^\t\w+_N, ` + kind + `\b`).MatchString(doc) {
				t.Error("the documentation does not list the collection")
			}
			fields := documentedFields(doc, kind)
			for _, field := range fieldsOf(t, db.Collection(name)) {
				if !fields[field] {
					t.Errorf("the documentation lacks the field %q", field)
				}
			}
			for _, index := range indexesOf(t, db.Collection(name)) {
				if !strings.Contains(strings.Join(strings.Fields(doc), " "), index) {
					t.Errorf("the documentation lacks the index %q", index)
				}
			}
		})
	}
}

// useAll has a store write at least one document to each collection.
func useAll(t *testing.T, store *mongodb.Store) {
	t.Helper()
	a := storetest.Chirp()
	a.TraceID = "trace"
	storetest.MustAppend(t, store.Log(), a)
	storetest.MustAppend(t, store.Log(), storetest.To(string(domain.UserStream("user_1")), 0, "register"))
	views, epoch := store.Views(), storetest.Epoch(t, store)
	w, err := views.Serving(t.Context(), epoch, 10)
	if err != nil {
		t.Fatal(err)
	}
	b := readmodel.Batch{
		To:       readmodel.Checkpoint{Position: 1, Event: 1},
		Profiles: []readmodel.Profile{{Key: 1, ID: "user_1", Username: "Ada"}},
		Chirps:   []readmodel.Chirp{{Position: 1, ID: "chirp_1", Author: 1}},
		Follows:  []readmodel.Follow{{Follower: 2, Followee: 1, Since: 1, Pull: true}},
		FanOuts:  []readmodel.FanOut{{Chirp: 1, Author: 1, Range: readmodel.Range{Through: 1}}},
	}
	build, err := views.Build(t.Context(), epoch, 10)
	for _, call := range []func() error{
		func() error { return err },
		func() error { return w.Apply(t.Context(), b) },
		func() error { return build.Hold(t.Context(), time.Minute) },
		func() error { _, err := views.Lease(t.Context(), "holder", time.Minute); return err },
		func() error { return store.Credentials().SaveCredential(t.Context(), "user_1", "hash", time.Now()) },
		func() error { _, err := store.Credentials().Secret(t.Context(), []byte("secret")); return err },
		func() error {
			return store.Credentials().AddSession(t.Context(), "user_1", auth.Session{ID: auth.NewSessionID()})
		},
		func() error { return store.Credentials().SetDisabled(t.Context(), "user_2", true) },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	db := mongodb.Database(store)
	if _, err := db.Collection("turns").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "log"}, {Key: "ticket", Value: int64(2)}, {Key: "passed", Value: int64(1)}}); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "the log's document records all that must be there", func() bool {
		complete := bson.D{}
		for _, field := range []string{"first", "passwords", "secret"} {
			complete = append(complete, bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: true}}})
		}
		return db.Collection("log").FindOne(t.Context(), complete).Err() == nil
	})
}

// documentedFields returns the fields that the documentation has for a
// collection, each as "name type", and "outer.name type" within a document.
func documentedFields(doc, collection string) map[string]bool {
	fields := map[string]bool{}
	line := regexp.MustCompile(`(?m)^\t( {0,2})(\w+)(?:  +(\w+)|$)`)
	for _, block := range regexp.MustCompile(`document of `+collection+`\b[^:]*:\n\n((?:\t.*\n)+)`).FindAllStringSubmatch(doc, -1) {
		outer := ""
		for _, l := range line.FindAllStringSubmatch(block[1], -1) {
			if l[1] == "" {
				outer = l[2]
				fields[l[2]+" "+l[3]] = true
			} else {
				fields[outer+"."+l[2]+" "+l[3]] = true
			}
		}
	}
	return fields
}

// fieldsOf returns the fields of a collection's documents, as documentedFields
// does. The fields of data, which are the event's, and of keys are left out.
func fieldsOf(t *testing.T, c *mongo.Collection) (fields []string) {
	t.Helper()
	cursor, err := c.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(t.Context())
	for cursor.Next(t.Context()) {
		fields = append(fields, namesAndTypes(t, "", cursor.Current)...)
	}
	return fields
}

func namesAndTypes(t *testing.T, outer string, doc bson.Raw) (fields []string) {
	t.Helper()
	elements, err := doc.Elements()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[bson.Type]string{bson.TypeInt64: "long", bson.TypeEmbeddedDocument: "document", bson.TypeDateTime: "date", bson.TypeBoolean: "bool", bson.TypeObjectID: "ObjectID"}
	for _, e := range elements {
		kind := kinds[e.Value().Type]
		if kind == "" {
			kind = e.Value().Type.String()
		}
		fields = append(fields, fmt.Sprintf("%s%s %s", outer, e.Key(), kind))
		if inner, ok := e.Value().DocumentOK(); ok && e.Key() != "data" && e.Key() != "_id" {
			fields = append(fields, namesAndTypes(t, outer+e.Key()+".", inner)...)
		}
	}
	return fields
}

// indexesOf returns the indexes of a collection besides that on _id, as the
// documentation names them.
func indexesOf(t *testing.T, c *mongo.Collection) (indexes []string) {
	t.Helper()
	cursor, err := c.Indexes().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name string `bson:"name"`
		Key  bson.D `bson:"key"`
	}
	if err := cursor.All(t.Context(), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		var keys []string
		for _, k := range r.Key {
			keys = append(keys, k.Key)
		}
		if r.Name != "_id_" {
			indexes = append(indexes, fmt.Sprintf("%s on (%s)", r.Name, strings.Join(keys, ", ")))
		}
	}
	return indexes
}
