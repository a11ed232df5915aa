package views_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
	"chirp/internal/storage/mongodb/views"
)

func TestLeaseFromAClockThatWasAheadIsVoid(t *testing.T) {
	const ttl = 3 * time.Second
	for _, c := range []struct {
		name string
		row  bson.D
		free bool
	}{
		{"ends an hour ahead", bson.D{{Key: "until", Value: time.Now().Add(time.Hour)}}, true},
		{"ends a day ahead, for three seconds", bson.D{{Key: "until", Value: time.Now().Add(24 * time.Hour)}, {Key: "for", Value: int64(3000)}}, true},
		{"ends an hour ahead, for a minute", bson.D{{Key: "until", Value: time.Now().Add(time.Hour)}, {Key: "for", Value: int64(60_000)}}, true},
		{"ends seconds after its minute, written while the caller's operation was under way", bson.D{{Key: "until", Value: time.Now().Add(64 * time.Second)}, {Key: "for", Value: int64(60_000)}}, false},
		{"ends within its minute", bson.D{{Key: "until", Value: time.Now().Add(50 * time.Second)}, {Key: "for", Value: int64(60_000)}}, false},
		{"has no duration and ends within the caller's", bson.D{{Key: "until", Value: time.Now().Add(ttl)}}, false},
		{"ended", bson.D{{Key: "until", Value: time.Now().Add(-time.Second)}, {Key: "for", Value: int64(60_000)}}, true},
		{"has no end", bson.D{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			database := mongotest.Database(t)
			store := storetest.OpenUntilEnd(t, database).Views()
			row := append(bson.D{{Key: "_id", Value: "projector"}, {Key: "holder", Value: "ghost"}}, c.row...)
			if i := len(row) - 1; c.name == "has no duration and ends within the caller's" {
				row[i].Value = time.Now().Add(ttl - time.Millisecond)
			}
			if _, err := views.Database(store).Collection("lease").InsertOne(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			held, err := store.Lease(t.Context(), "heir", ttl)
			if err != nil || held != c.free {
				t.Errorf("Lease: got %t, error %v, want %t", held, err, c.free)
			}
			want := map[bool]string{true: "heir", false: "ghost"}[c.free]
			if holder, until := store.(readmodel.LeaseHolder).LeaseHolder(); holder != want || until.Before(time.Now()) {
				t.Errorf("LeaseHolder: got %q until %s, want %q", holder, until, want)
			}
		})
	}
}

func TestHoldFromAClockThatWasAheadIsVoid(t *testing.T) {
	store := openOne(t)
	writer, err := store.Serving(t.Context(), "epoch", 3)
	if err != nil {
		t.Fatal(err)
	}
	at := readmodel.Checkpoint{}
	for _, c := range []struct {
		ahead time.Duration
		want  error
	}{{readmodel.LongestHold - time.Second, readmodel.ErrHeld}, {readmodel.LongestHold + time.Second, readmodel.ErrHeld},
		{readmodel.LongestHold + time.Minute, nil}, {24 * time.Hour, nil}, {-time.Second, nil}} {
		held := bson.D{{Key: "$set", Value: bson.D{{Key: "held", Value: time.Now().Add(c.ahead)}}}}
		if _, err := views.Database(store).Collection("views").UpdateByID(t.Context(), int64(1), held); err != nil {
			t.Fatal(err)
		}
		next := readmodel.Checkpoint{Position: at.Position + 1}
		if err := writer.Apply(t.Context(), readmodel.Batch{From: at, To: next}); !errors.Is(err, c.want) {
			t.Errorf("Apply to what is held until %s from now: got %v, want %v", c.ahead, err, c.want)
		} else if err == nil {
			at = next
		}
	}
}
