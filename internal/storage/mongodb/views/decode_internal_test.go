package views

import (
	"math"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestRowsAreDecodedAsTheDriverDoes(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_123)
	sameAsDriver(t, profileRow{
		Key: 7, ID: "user_1", Username: "Ada", Folded: "ada", JoinedAt: at, Followers: 1, Following: 2, Chirps: 3, Pushed: 4,
		Split: split{Older: 5, Skipped: 6}, NextSplit: split{Older: 8, Skipped: 9}, Celebrity: true, PullSource: true,
	})
	sameAsDriver(t, profileRow{})
	sameAsDriver(t, chirpRow{Position: math.MaxInt64, ID: "chirp_1", Author: 7, Delivery: 2, Content: "héllo", PostedAt: at})
	sameAsDriver(t, followRow{Pair: pair{Follower: 1, Followee: 2}, Follower: 1, Followee: 2, Since: 3, Pull: true, Older: 4, Skipped: 5, Merged: 6})
	sameAsDriver(t, followRow{Pair: pair{Follower: 1, Followee: 2}})
}

// sameAsDriver decodes the document of a row, whose fields are all known.
func sameAsDriver[R comparable, D decoder[R]](t *testing.T, row R) {
	t.Helper()
	raw, err := bson.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	var want R
	if err := bson.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got, err := decode[R, D](raw)
	if err != nil || !reflect.DeepEqual(inUTC(got), inUTC(want)) {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
}

// inUTC returns a row with its times in UTC, so that equal ones compare equal.
func inUTC(row any) any {
	switch r := row.(type) {
	case profileRow:
		r.JoinedAt = r.JoinedAt.UTC()
		return r
	case chirpRow:
		r.PostedAt = r.PostedAt.UTC()
		return r
	}
	return row
}

func TestRowsThatAreNoneAreRefused(t *testing.T) {
	for name, document := range map[string]any{
		"a text for a number":   bson.D{{Key: "_id", Value: "7"}},
		"a number for a text":   bson.D{{Key: "id", Value: 7}},
		"a number for a split":  bson.D{{Key: "split", Value: 7}},
		"a split of two texts":  bson.D{{Key: "split", Value: bson.D{{Key: "older", Value: "x"}}}},
		"a text for a time":     bson.D{{Key: "joined", Value: "x"}},
		"a number for a yes/no": bson.D{{Key: "pull", Value: 1}},
	} {
		raw, err := bson.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if row, err := decode[profileRow](raw); err == nil {
			t.Errorf("%s: got %+v, want an error", name, row)
		}
	}
	whole, _ := bson.Marshal(profileRow{ID: "user_1"})
	for n := range whole {
		if row, err := decode[profileRow](whole[:n]); err == nil {
			t.Errorf("%d of %d bytes: got %+v, want an error", n, len(whole), row)
		}
	}
	null, _ := bson.Marshal(bson.D{{Key: "_id", Value: int64(7)}, {Key: "id", Value: nil}, {Key: "unknown", Value: "x"}})
	if row, err := decode[profileRow](null); err != nil || row != (profileRow{Key: 7}) {
		t.Errorf("null and an unknown field: got %+v, error %v; want the key alone", row, err)
	}
}
