package mongodb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestErrorsThatNobodyHereBroughtAboutAreUnavailable(t *testing.T) {
	t.Parallel()
	set := startOwn(t)
	store, closeStore := openAt(t, set.URI(), "kinds")
	defer closeStore()
	for _, c := range []struct {
		code int
		want domain.Kind
	}{
		{2, domain.Internal}, {9, domain.Internal}, {14, domain.Internal},
		{13, domain.Unavailable}, {18, domain.Unavailable}, {146, domain.Unavailable}, {175, domain.Unavailable}, {189, domain.Unavailable},
		{237, domain.Unavailable}, {8000, domain.Unavailable}, {14031, domain.Unavailable}, {16500, domain.Unavailable}, {31337, domain.Unavailable},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			failNext(t, set, "kinds", manyTimes, bson.D{commands("find"), {Key: "errorCode", Value: c.code}}) // the driver tries again, and the guard reads too
			_, err := store.Log().Load(guarded(t), "stream")
			failNoMore(t, set)
			if got := domain.KindOf(err); err == nil || got != c.want {
				t.Errorf("got %v, kind %v, want kind %v", err, got, c.want)
			}
		})
	}
}

func TestOnlyChangesThatDoNotFitAreMarkedSo(t *testing.T) {
	t.Parallel()
	set := startOwn(t)
	store, closeStore := openAt(t, set.URI(), "fits")
	defer closeStore()
	writer, err := mongodb.Apart(store.Views()).Serving(t.Context(), "epoch", 3)
	if err != nil {
		t.Fatal(err)
	}
	batch := readmodel.Batch{To: readmodel.Checkpoint{Position: 1}, Chirps: []readmodel.Chirp{{Position: 1, ID: "chirp", Author: 1}}}
	for code, fits := range map[int]bool{257: false, 388: false, 10334: false, 17419: false, 2: true, 13: true, 8000: true, 16500: true} {
		failNext(t, set, "fits", 1, bson.D{commands("insert"), {Key: "errorCode", Value: code}})
		if err := writer.Apply(t.Context(), batch); err == nil || errors.Is(err, readmodel.ErrDoesNotFit) == fits {
			t.Errorf("Apply when the server answers with error %d: got %v, want ErrDoesNotFit: %t", code, err, !fits)
		}
	}
	batch.Chirps[0].Content = domain.Content(make([]byte, 17<<20))
	if err := writer.Apply(t.Context(), batch); !errors.Is(err, readmodel.ErrDoesNotFit) {
		t.Errorf("Apply of a chirp of 17 MB: got %v, want ErrDoesNotFit", err)
	}
	batch.Chirps[0].Content = "fits"
	if err := writer.Apply(t.Context(), batch); err != nil {
		t.Errorf("Apply of what fits, after all: %v", err)
	}
}

func TestOpenIsRefusedForGood(t *testing.T) {
	t.Parallel()
	set := startOwn(t)
	host := set.Nodes[0].Addr()
	for _, c := range []struct {
		name, uri string
		code      int
		want      domain.Kind
	}{
		{"a wrong password", "mongodb://nobody:wrong@" + host + "/?replicaSet=chirp", 0, domain.Invalid},
		{"no rights", set.URI(), 13, domain.Invalid},
		{"an index of another kind in the way", set.URI(), 85, domain.Invalid},
		{"a quota that is used up", set.URI(), 8000, domain.Unavailable},
		{"an error that nobody knows", set.URI(), 31337, domain.Unavailable},
	} {
		if c.code != 0 {
			failNext(t, set, "denied", 1, bson.D{commands("create"), {Key: "errorCode", Value: c.code}})
		}
		store, err := mongodb.Open(t.Context(), c.uri, "denied", mongodb.Options{})
		if err == nil {
			store.Close()
		}
		if err == nil || domain.KindOf(err) != c.want {
			t.Errorf("Open with %s: got %v, kind %v, want kind %v", c.name, err, domain.KindOf(err), c.want)
		}
	}
}

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
			views := openViews(t, database).Views()
			row := append(bson.D{{Key: "_id", Value: "projector"}, {Key: "holder", Value: "ghost"}}, c.row...)
			if i := len(row) - 1; c.name == "has no duration and ends within the caller's" {
				row[i].Value = time.Now().Add(ttl - time.Millisecond)
			}
			if _, err := mongodb.Database(views).Collection("lease").InsertOne(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			held, err := views.Lease(t.Context(), "heir", ttl)
			if err != nil || held != c.free {
				t.Errorf("Lease: got %t, error %v, want %t", held, err, c.free)
			}
			want := map[bool]string{true: "heir", false: "ghost"}[c.free]
			if holder, until := views.(readmodel.LeaseHolder).LeaseHolder(); holder != want || until.Before(time.Now()) {
				t.Errorf("LeaseHolder: got %q until %s, want %q", holder, until, want)
			}
		})
	}
}

func TestHoldFromAClockThatWasAheadIsVoid(t *testing.T) {
	views := openOne(t)
	writer, err := views.Serving(t.Context(), "epoch", 3)
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
		if _, err := mongodb.Database(views).Collection("views").UpdateByID(t.Context(), int64(1), held); err != nil {
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
