package conn_test

import (
	"fmt"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func TestErrorsFromOutsideAreUnavailable(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	store, closeStore := storetest.OpenAt(t, set.URI(), "kinds")
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
			storetest.FailNext(t, set, "kinds", storetest.Many, bson.D{storetest.Commands("find"), {Key: "errorCode", Value: c.code}}) // the driver retries, and the monitor reads too
			_, err := store.Log().Load(storetest.Bounded(t), "stream")
			storetest.StopFailing(t, set)
			if got := domain.KindOf(err); err == nil || got != c.want {
				t.Errorf("got %v, kind %v, want kind %v", err, got, c.want)
			}
		})
	}
}
