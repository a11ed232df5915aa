package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/storage/mongodb/mongotest"
)

// TestLeaseFromAClockAheadIsNotWaitedFor starts servers on databases with a lease
// that ends too late to be true, and with one that may be true.
func TestLeaseFromAClockAheadIsNotWaitedFor(t *testing.T) {
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
			apitest.Eventually(t, "the server has the lease", func() bool { return projects(t, s.Ops) })
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("taking the lease over took %s", took)
			}
			if got := strings.Contains(s.Log.String(), "holder=ghost until="); got != c.waited {
				t.Errorf("the log names the holder: %t, want %t", got, c.waited)
			}
		})
	}
}

// TestOlderServerContinuesBesideANewerOne upgrades one of two servers: the older
// one meets events that only the newer one can read.
func TestOlderServerContinuesBesideANewerOne(t *testing.T) {
	t.Parallel()
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	older := apitest.Start(t, p)
	users := apitest.RegisterAll(t, older.URL, "ann", "bob")
	ann, bob := users[0].At(older.URL), users[1].At(older.URL)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "first", ""))(t).Position
	first := apitest.Must(ann.Page(t.Context(), 1, ""))(t)
	socket := apitest.Must(ann.Connect(t.Context()))(t)
	defer socket.Close()
	if err := socket.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": first.Edges[0].Cursor}); err != nil {
		t.Fatal(err)
	}
	apitest.Must(bob.Post(t.Context(), "before", ""))(t)
	wantNext(t, socket, "before")

	store := p.OpenToWrite(t, false)
	at := poison(t, store, users[1].ID, "newer").Position
	apitest.AwaitProbe(t, older.Ops, http.StatusServiceUnavailable, "the projector halted: project event "+at.String())
	newer := serveMended(t, p)
	apitest.Ready(t, older.URL)
	poison(t, store, users[1].ID, "newer again")
	apitest.Must(bob.Post(t.Context(), "after", ""))(t)
	wantNext(t, socket, "after")
	apitest.Eventually(t, "the older server's feed has all", func() bool {
		edges, err := users[0].At(older.URL).Feed(t.Context(), 10)
		return err == nil && slices.Equal(apitest.Contents(edges), []string{"after", "newer again", "newer", "before", "first"})
	})
	apitest.Ready(t, newer)
	apitest.Ready(t, older.URL)
	if n := strings.Count(older.Log.String(), "of a type that cannot be read"); n != 1 {
		t.Errorf("the older server logs the type that it cannot read %d times, want once", n)
	}
	if log := older.Log.String(); !strings.Contains(log, "the views are past the event that it halted at") {
		t.Error("the older server does not log the end of its halt")
	}
}

func wantNext(t *testing.T, s *apitest.Socket, want string) {
	t.Helper()
	if got, err := s.NextEdge("feed"); err != nil || got.Node.Content != want {
		t.Errorf("the next push: got %q, error %v, want %q", got.Node.Content, err, want)
	}
}
