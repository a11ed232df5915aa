package views_test

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/storetest"
	"chirp/internal/storage/mongodb/views"
)

func TestOnlyChangesThatDoNotFitAreErrDoesNotFit(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "fits")
	defer closeStore()
	writer, err := views.Apart(store.Views()).Serving(t.Context(), "epoch", 3)
	if err != nil {
		t.Fatal(err)
	}
	batch := readmodel.Batch{To: readmodel.Checkpoint{Position: 1}, Chirps: []readmodel.Chirp{{Position: 1, ID: "chirp", Author: 1}}}
	for code, fits := range map[int]bool{257: false, 388: false, 10334: false, 17419: false, 2: true, 13: true, 8000: true, 16500: true} {
		storetest.FailNext(t, set, "fits", 1, bson.D{storetest.Commands("insert"), {Key: "errorCode", Value: code}})
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
