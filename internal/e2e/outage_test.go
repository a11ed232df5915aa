package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
)

// connectTo connects to a MongoDB directly.
func connectTo(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client
}

// failing makes commands that servers send to a database fail, until end is
// called.
func failing(t testing.TB, client *mongo.Client, database string, how ...bson.E) (end func()) {
	t.Helper()
	set := func(mode any, data bson.D) {
		t.Helper()
		err := client.Database("admin").RunCommand(t.Context(), bson.D{
			{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: data},
		}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	set("alwaysOn", append(bson.D{{Key: "appName", Value: "chirp/" + database}}, how...))
	return func() { t.Helper(); set("off", bson.D{}) }
}

// wantNotHalted checks that a server's projector has never halted.
func wantNotHalted(t testing.TB, ops string, log *apitest.Output) {
	t.Helper()
	if text := log.String(); strings.Contains(text, "halted") {
		t.Error("the projector halted")
	}
	if _, metrics, err := apitest.Probe(t.Context(), ops+"/metrics"); err != nil || !strings.Contains(metrics, "\nchirp_projector_halted_position 0\n") {
		t.Errorf("/metrics: want a halted position of 0, error %v", err)
	}
}

// wantInFeed posts as one user and waits until a follower sees the post in the
// feed on each of the servers.
func wantInFeed(t testing.TB, author, reader apitest.User, text string, urls ...string) {
	t.Helper()
	var position string
	apitest.Eventually(t, "a post succeeds", func() bool {
		d, err := author.At(urls[0]).Post(t.Context(), text, "post "+text)
		position = d.Position
		return err == nil
	})
	for _, url := range urls {
		as := reader.At(url)
		as.ReadAfter = position
		apitest.Eventually(t, "the feed at "+url+" has "+text, func() bool {
			page, err := as.Page(t.Context(), 1, "")
			return err == nil && slices.Equal(apitest.Contents(page.Edges), []string{text})
		})
		apitest.Ready(t, url)
	}
}

// TestNoErrorOfMongoDBHaltsAServer makes every command of two servers fail with
// various codes, known and unknown.
func TestNoErrorOfMongoDBHaltsAServer(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	client := connectTo(t, set.URI())
	const database = "errors"
	p := apitest.OnMongoDB(set.URI(), database)
	one, two := apitest.Start(t, p), apitest.Start(t, p)
	users := apitest.RegisterAll(t, one.URL, "ann", "bob")
	apitest.Must(users[0].At(one.URL).Follow(t.Context(), users[1].ID, ""))(t)
	wantInFeed(t, users[1], users[0], "before", one.URL, two.URL)
	commands := bson.E{Key: "failCommands", Value: bson.A{"insert", "update", "find", "aggregate", "findAndModify", "commitTransaction"}}
	for _, number := range []int{13, 237, 16500, 31337} {
		end := failing(t, client, database, commands, bson.E{Key: "errorCode", Value: number})
		for until := time.Now().Add(2500 * time.Millisecond); time.Now().Before(until); {
			for _, s := range []*apitest.Process{one, two} {
				as := users[1].At(s.URL)
				_, posted := as.Post(t.Context(), fmt.Sprintf("with %d", number), "")
				_, read := as.Page(t.Context(), 1, "")
				if apitest.Code(posted) != "UNAVAILABLE" || apitest.Code(read) != "UNAVAILABLE" {
					t.Errorf("error %d of MongoDB: got %v for a post and %v for a query, want UNAVAILABLE", number, posted, read)
				}
			}
		}
		end()
		wantInFeed(t, users[1], users[0], fmt.Sprintf("after %d", number), one.URL, two.URL)
	}
	for _, s := range []*apitest.Process{one, two} {
		wantNotHalted(t, s.Ops, &s.Log)
	}
}

// TestReadinessNamesWhatKeepsTheViewsBack refuses only the writes of the views'
// checkpoint, until readiness reports it.
func TestReadinessNamesWhatKeepsTheViewsBack(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	const database = "refused"
	p := apitest.OnMongoDB(set.URI(), database)
	one, two := apitest.Start(t, p), apitest.Start(t, p)
	users := apitest.RegisterAll(t, one.URL, "ann", "bob")
	apitest.Must(users[0].At(one.URL).Follow(t.Context(), users[1].ID, ""))(t)
	wantInFeed(t, users[1], users[0], "before", one.URL, two.URL)
	end := failing(t, connectTo(t, set.URI()), database, bson.E{Key: "failCommands", Value: bson.A{"findAndModify"}},
		bson.E{Key: "namespace", Value: database + ".views"}, bson.E{Key: "errorCode", Value: 13})
	apitest.Must(users[1].At(two.URL).Post(t.Context(), "meanwhile", ""))(t)
	apitest.Eventually(t, "a server says why it is not ready", func() bool {
		for _, s := range []*apitest.Process{one, two} {
			status, body, err := apitest.Probe(t.Context(), s.Ops+"/readyz")
			if err == nil && status == 503 && strings.Contains(body, "the projector has been trying again for ") && strings.Contains(body, "(Unauthorized)") {
				return true
			}
		}
		return false
	})
	if n := strings.Count(one.Log.String()+two.Log.String(), "projector: will try again"); n > 4 {
		t.Errorf("the outage is logged %d times, want it once for each time that a server has the lease", n)
	}
	end()
	wantInFeed(t, users[1], users[0], "after", one.URL, two.URL)
	for _, s := range []*apitest.Process{one, two} {
		wantNotHalted(t, s.Ops, &s.Log)
	}
}

// TestServerWaitsForTheEndOfAnOutageDuringItsStart refuses what it writes after
// it has opened the store.
func TestServerWaitsForTheEndOfAnOutageDuringItsStart(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	const database = "start"
	end := failing(t, connectTo(t, set.URI()), database, bson.E{Key: "failCommands", Value: bson.A{"update"}},
		bson.E{Key: "namespace", Value: database + ".secrets"}, bson.E{Key: "errorCode", Value: 16500})
	s := apitest.Launch(t, apitest.OnMongoDB(set.URI(), database))
	apitest.AwaitProbe(t, s.Ops, 503, "token secret")
	end()
	apitest.Ready(t, s.URL)
}

// TestEventThatDoesNotFitTheViewsHaltsThem appends a chirp with the id of another
// one: it can be decoded and folded, but no view can hold it.
func TestEventThatDoesNotFitTheViewsHaltsThem(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		users := apitest.RegisterAll(t, s.URL, "ann", "bob")
		apitest.Must(users[0].At(s.URL).Follow(t.Context(), users[1].ID, ""))(t)
		wantInFeed(t, users[1], users[0], "before", s.URL)
		stored := p.Events(t)
		chirp := stored[len(stored)-1]
		commit, err := p.OpenToWrite(t, false).Log().Append(t.Context(), eventstore.Append{
			Events:  []eventstore.NewEvent{{Stream: "chirp:another", Type: chirp.Type, Data: chirp.Data}},
			Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: users[1].ID, ID: "twice"}, Fingerprint: "twice"}, RecordedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		apitest.Must(users[1].At(s.URL).Post(t.Context(), "after", ""))(t)
		apitest.AwaitProbe(t, s.Ops, 503, fmt.Sprintf("the projector halted: project event %d (%s): ", commit.Position(), chirp.Type))
		if got := apitest.Contents(apitest.Must(users[0].At(s.URL).Feed(t.Context(), 10))(t)); !slices.Equal(got, []string{"before"}) {
			t.Errorf("feed while halted: got %q, want only what was before", got)
		}
	})
}
