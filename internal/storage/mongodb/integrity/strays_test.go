package integrity_test

import (
	"fmt"
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func decimal(t *testing.T, text string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStraysAreSkippedAndNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id    any
		named string
		// beyond is set if the log would reach its position.
		beyond bool
	}{
		"an ObjectID":                   {bson.ObjectID{1}, `_id {"$oid":"01`, false},
		"a string":                      {"1", `_id "1"`, false},
		"null":                          {nil, `_id null`, false},
		"a document":                    {bson.D{{Key: "n", Value: 1}}, `_id {"n"`, false},
		"a fraction between two events": {2.5, `2.5`, false},
		"a decimal between two events":  {decimal(t, "1.25"), `1.25`, false},
		"zero":                          {0, `"0"`, false},
		"a negative number":             {int64(-7), `-7`, false},
		"not a number":                  {math.NaN(), `NaN`, false},
		"the next position":             {int64(4), `"4"`, true},
		"an int32 far beyond":           {int32(99999), `99999`, true},
		"an int64 far beyond":           {int64(1e15), `1000000000000000`, true},
		"a fraction beyond":             {3.5, `3.5`, true},
		"infinity":                      {math.Inf(1), `Infinity`, true},
		"a decimal beyond":              {decimal(t, "1E+30"), `1E+30`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, log := openMonitored(t)
			events := db.Collection("events")
			if _, err := events.InsertOne(t.Context(), bson.D{{Key: "_id", Value: c.id}, {Key: "hello", Value: "world"}}); err != nil {
				t.Fatal(err)
			}
			storetest.Eventually(t, "the stray is named: "+c.named, hasProblem(store, c.named))
			storetest.Eventually(t, fmt.Sprintf("the stray is a problem: %t", c.beyond), func() bool { return len(store.Problems()) > 0 == c.beyond })
			storetest.Eventually(t, "the stray is logged", func() bool { return log.Count("documents that are not events") == 1 })
			wantHead(t, store.Log(), 3)
			head := 3
			if c.beyond {
				wantRefused(t, store.Log(), "beside a stray")
			} else {
				head++
				storetest.MustAppend(t, store.Log(), storetest.To("beside", 0, "beside"))
			}
			wantEvents(t, store.Log(), head)
			wantNamedToReaders(t, db.Name(), head, c.named)

			again, closeAgain := storetest.Open(t, db.Name())
			defer closeAgain()
			storetest.Eventually(t, "another start names the stray", hasProblem(again, c.named))
			wantHead(t, again.Log(), domain.Position(head))
			if _, err := events.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: c.id}}); err != nil {
				t.Fatal(err)
			}
			storetest.Eventually(t, "nothing is wrong once it is removed", soundAgain(store))
			storetest.MustAppend(t, store.Log(), storetest.To("afterwards", 0, "afterwards"))
			wantEvents(t, store.Log(), head+1)
		})
	}
}

// wantNamedToReaders checks what a command that only reads sees.
func wantNamedToReaders(t *testing.T, database string, head int, named string) {
	t.Helper()
	reader, err := mongodb.Open(t.Context(), mongotest.URI(t), database, mongodb.Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("Open for reading: %v", err)
	}
	defer reader.Close()
	wantHead(t, reader.Log(), domain.Position(head))
	wantEvents(t, reader.Log(), head)
	if !hasProblem(reader, named)() {
		t.Errorf("Problems of a reader: got %q, want one that has %q", reader.Problems(), named)
	}
}

func TestAStrayInAStreamIsSkipped(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	stray := bson.D{{Key: "_id", Value: "x"}, {Key: "stream", Value: "s0"}, {Key: "version", Value: int64(2)}, {Key: "type", Value: "test.happened.v1"}, {Key: "data", Value: bson.D{}}}
	if _, err := db.Collection("events").InsertOne(t.Context(), stray); err != nil {
		t.Fatal(err)
	}
	if events, err := store.Log().Load(t.Context(), "s0"); err != nil || len(events) != 1 {
		t.Errorf("Load: got %d events, error %v; want the one", len(events), err)
	}
	storetest.Eventually(t, "the stray is named", hasProblem(store, `_id "x"`))
}

func TestNumbersOfOtherTypesAreEvents(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	events := db.Collection("events")
	for n, id := range map[int64]any{2: int32(2), 3: float64(3)} { // as tools that go through JSON write them
		var doc bson.D
		if err := events.FindOneAndDelete(t.Context(), bson.D{{Key: "_id", Value: n}}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		doc[0].Value = id
		if _, err := events.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Eventually(t, "nothing is wrong", soundAgain(store))
	wantHead(t, store.Log(), 3)
	wantEvents(t, store.Log(), 3)
}
