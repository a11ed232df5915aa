package e2e

import (
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/storage/mongodb/mongotest"
)

// TestALeaseFromAClockThatWasAheadIsNotWaitedFor starts servers where a lease
// is that cannot be, and where one is that can.
func TestALeaseFromAClockThatWasAheadIsNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		ahead  time.Duration
		waited bool
	}{"an hour ahead": {time.Hour, false}, "a day ahead": {24 * time.Hour, false}, "within its duration": {2900 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := mongotest.Database(t)
			lease := connectTo(t, mongotest.URI(t)).Database(database).Collection("lease")
			row := bson.D{{Key: "_id", Value: "projector"}, {Key: "holder", Value: "ghost"}, {Key: "until", Value: time.Now().Add(c.ahead)}, {Key: "for", Value: int64(3000)}}
			if _, err := lease.InsertOne(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			s := apitest.Start(t, apitest.OnMongoDB(mongotest.URI(t), database))
			apitest.Eventually(t, "the server has the lease", func() bool { return projects(t, s.URL) })
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("taking the lease over took %s", took)
			}
			if got := strings.Contains(s.Log.String(), "holder=ghost until="); got != c.waited {
				t.Errorf("the log names the holder: %t, want %t", got, c.waited)
			}
		})
	}
}
