package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
)

// connectTo connects to a MongoDB as an operator does.
func connectTo(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client
}

// failing makes commands of the servers of a database fail until the func that
// it returns is called.
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

// wantNotHalted checks that a server's projector has not halted at any time.
func wantNotHalted(t testing.TB, url string, log *output) {
	t.Helper()
	if text := log.String(); strings.Contains(text, "halted") {
		t.Error("the projector halted")
	}
	if _, metrics, err := probe(t.Context(), url+"/metrics"); err != nil || !strings.Contains(metrics, "\nchirp_projector_halted_position 0\n") {
		t.Errorf("/metrics: want a halted position of 0, error %v", err)
	}
}

// wantInFeed posts as one user and waits until another, who follows them, sees
// it in the feed at each of the servers.
func wantInFeed(t testing.TB, author, reader user, text string, urls ...string) {
	t.Helper()
	var position string
	eventually(t, "a post succeeds", func() bool {
		d, err := author.at(urls[0]).post(t.Context(), text, "post "+text)
		position = d.Position
		return err == nil
	})
	for _, url := range urls {
		as := reader.at(url)
		as.readAfter = position
		eventually(t, "the feed at "+url+" has "+text, func() bool {
			page, err := as.page(t.Context(), 1, "")
			return err == nil && slices.Equal(contents(page.Edges), []string{text})
		})
		ready(t, url)
	}
}

// TestNoErrorOfMongoDBHaltsAServer has every command of two servers fail with
// codes that mean many things, known and unknown.
func TestNoErrorOfMongoDBHaltsAServer(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	client := connectTo(t, set.URI())
	const database = "errors"
	p := onMongoDB(set.URI(), database)
	one, two := start(t, p), start(t, p)
	users := registerAll(t, one.url, "ann", "bob")
	must(users[0].at(one.url).follow(t.Context(), users[1].ID, ""))(t)
	wantInFeed(t, users[1], users[0], "before", one.url, two.url)
	commands := bson.E{Key: "failCommands", Value: bson.A{"insert", "update", "find", "aggregate", "findAndModify", "commitTransaction"}}
	for _, number := range []int{13, 237, 16500, 31337} {
		end := failing(t, client, database, commands, bson.E{Key: "errorCode", Value: number})
		for until := time.Now().Add(2500 * time.Millisecond); time.Now().Before(until); {
			for _, s := range []*server{one, two} {
				as := users[1].at(s.url)
				_, posted := as.post(t.Context(), fmt.Sprintf("with %d", number), "")
				_, read := as.page(t.Context(), 1, "")
				if code(posted) != "UNAVAILABLE" || code(read) != "UNAVAILABLE" {
					t.Errorf("error %d of MongoDB: got %v for a post and %v for a query, want UNAVAILABLE", number, posted, read)
				}
			}
		}
		end()
		wantInFeed(t, users[1], users[0], fmt.Sprintf("after %d", number), one.url, two.url)
	}
	for _, s := range []*server{one, two} {
		wantNotHalted(t, s.url, &s.log)
	}
}

// TestReadinessNamesWhatKeepsTheViewsBack refuses the writes of the views'
// checkpoint alone, for as long as it takes to be noticed.
func TestReadinessNamesWhatKeepsTheViewsBack(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	const database = "refused"
	p := onMongoDB(set.URI(), database)
	one, two := start(t, p), start(t, p)
	users := registerAll(t, one.url, "ann", "bob")
	must(users[0].at(one.url).follow(t.Context(), users[1].ID, ""))(t)
	wantInFeed(t, users[1], users[0], "before", one.url, two.url)
	end := failing(t, connectTo(t, set.URI()), database, bson.E{Key: "failCommands", Value: bson.A{"findAndModify"}},
		bson.E{Key: "namespace", Value: database + ".views"}, bson.E{Key: "errorCode", Value: 13})
	must(users[1].at(two.url).post(t.Context(), "meanwhile", ""))(t)
	eventually(t, "a server says why it is not ready", func() bool {
		for _, s := range []*server{one, two} {
			status, body, err := probe(t.Context(), s.url+"/readyz")
			if err == nil && status == 503 && strings.Contains(body, "the projector has been trying again for ") && strings.Contains(body, "(Unauthorized)") {
				return true
			}
		}
		return false
	})
	if n := strings.Count(one.log.String()+two.log.String(), "projector: will try again"); n > 4 {
		t.Errorf("the outage is logged %d times, want it once for each time that a server has the lease", n)
	}
	end()
	wantInFeed(t, users[1], users[0], "after", one.url, two.url)
	for _, s := range []*server{one, two} {
		wantNotHalted(t, s.url, &s.log)
	}
}

// TestAnOutageInTheMiddleOfTheStartIsWaitedFor refuses what is written after the
// store was opened.
func TestAnOutageInTheMiddleOfTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	const database = "start"
	end := failing(t, connectTo(t, set.URI()), database, bson.E{Key: "failCommands", Value: bson.A{"update"}},
		bson.E{Key: "namespace", Value: database + ".secrets"}, bson.E{Key: "errorCode", Value: 16500})
	s := begin(t, onMongoDB(set.URI(), database))
	awaitProbe(t, s.url, 503, "token secret")
	end()
	ready(t, s.url)
}

// TestAnEventThatDoesNotFitTheViewsHaltsThem appends a chirp whose id another
// has, which decodes and folds, and which no view can hold.
func TestAnEventThatDoesNotFitTheViewsHaltsThem(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "ann", "bob")
		must(users[0].at(s.url).follow(t.Context(), users[1].ID, ""))(t)
		wantInFeed(t, users[1], users[0], "before", s.url)
		stored := p.events(t)
		chirp := stored[len(stored)-1]
		commit, err := p.openToWrite(t, false).Log().Append(t.Context(), eventstore.Append{
			Streams: []eventstore.StreamAppend{{Stream: "chirp:another", Events: []eventstore.NewEvent{{Type: chirp.Type, Data: chirp.Data}}}},
			Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: users[1].ID, ID: "twice"}, Fingerprint: "twice"}, RecordedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		must(users[1].at(s.url).post(t.Context(), "after", ""))(t)
		awaitProbe(t, s.url, 503, fmt.Sprintf("the projector halted: project event %d (%s): ", commit.Position(), chirp.Type))
		if got := contents(must(users[0].at(s.url).feed(t.Context(), 10))(t)); !slices.Equal(got, []string{"before"}) {
			t.Errorf("feed while halted: got %q, want only what was before", got)
		}
	})
}
