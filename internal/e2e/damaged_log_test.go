package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
)

// onSharedMongoDB starts a server on a new database of the shared mongod. It
// returns the database for direct access too.
func onSharedMongoDB(t testing.TB) (apitest.Place, *mongo.Database, *apitest.Process) {
	t.Helper()
	name := mongotest.Database(t)
	p := apitest.OnMongoDB(mongotest.URI(t), name)
	s := apitest.Start(t, p)
	return p, connectTo(t, mongotest.URI(t)).Database(name), s
}

func TestStrayDocumentIsReportedAndHarmless(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	users := society(t, s.URL)
	apitest.Must(db.Collection("events").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "stray"}, {Key: "hello", Value: "world"}}))(t)
	apitest.AwaitProbe(t, s.Ops, http.StatusOK, `documents that are not events, and are ignored; remove what does not belong there: _id "stray"`)
	last := apitest.Must(users[1].At(s.URL).Post(t.Context(), "beside a stray", ""))(t)
	reader := users[0].At(s.URL)
	reader.ReadAfter = last.Position
	if got := apitest.Contents(apitest.Must(reader.Feed(t.Context(), 100))(t)); len(got) == 0 || got[0] != "beside a stray" {
		t.Errorf("feed: got %q, want the chirp posted beside the stray first", got)
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	e := p.Command(t, "export", file)
	if lines := strings.Count(content(t, file), "\n"); e.Code != 0 || fmt.Sprint(lines-1) != last.Position || !strings.Contains(e.Log, `_id "stray"`) {
		t.Errorf("export: exit code %d, %d events, log %q; want 0, %s events and the stray named", e.Code, lines-1, e.Log, last.Position)
	}
	if e := p.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out, `_id "stray"`) || !strings.Contains(e.Log, "differences: 1;") || !strings.Contains(e.Out, "the log up to position "+last.Position) || strings.Contains(e.Log, "rebuild") || !strings.Contains(e.Log, "repair those first") {
		t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the stray as the only difference", e.Code, e.Out, e.Log)
	}
	s.Terminate(t)

	again := apitest.Launch(t, p)
	apitest.AwaitProbe(t, again.Ops, http.StatusOK, `_id "stray"`)
	apitest.Must(users[1].At(again.URL).Post(t.Context(), "after a restart", ""))(t)
	apitest.Must(db.Collection("events").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "stray"}}))(t) // as it was advised
	apitest.Eventually(t, "/readyz no longer names the stray", func() bool {
		status, body, err := apitest.Probe(t.Context(), again.Ops+"/readyz")
		return err == nil && status == http.StatusOK && body == "ready\n"
	})
	if e := p.Command(t, "verify"); e.Code != 0 {
		t.Errorf("verify once the stray is removed: exit code %d, output %q, log %q; want 0", e.Code, e.Out, e.Log)
	}
	if log := again.Log.String(); strings.Count(log, "not events") != 1 {
		t.Errorf("the server's log names the stray %d times, want once", strings.Count(log, "not events"))
	}
	again.Terminate(t)
}

func TestDocumentBeyondTheLogIsNotFollowed(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	users := society(t, s.URL)
	head := int(apitest.Must(db.Collection("events").CountDocuments(t.Context(), bson.D{}))(t))
	apitest.Must(db.Collection("events").InsertOne(t.Context(), bson.D{{Key: "_id", Value: int64(1e15)}, {Key: "hello", Value: "world"}}))(t)
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "beyond the end of the log: remove those with the _id")
	if _, err := users[1].At(s.URL).Post(t.Context(), "refused", ""); apitest.Code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), "nothing was done") || !strings.Contains(err.Error(), "cannot be relied on") {
		t.Errorf("post: got %v, want UNAVAILABLE, that nothing was done, and the reason", err)
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if e := p.Command(t, "export", file); e.Code != 0 || strings.Count(content(t, file), "\n") != head+1 || !strings.Contains(e.Log, "1000000000000000") {
		t.Errorf("export: exit code %d, log %q; want 0, %d events and the document named", e.Code, e.Log, head)
	}
	if e := p.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out, "1000000000000000") || !strings.Contains(e.Log, "differences: 1;") {
		t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the document as the only difference", e.Code, e.Out, e.Log)
	}
	apitest.Must(db.Collection("events").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: int64(1e15)}}))(t)
	apitest.Ready(t, s.URL)
	apitest.Must(users[1].At(s.URL).Post(t.Context(), "taken again", ""))(t)
	s.Terminate(t)
}

func TestGapIsNeverExported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(ctx context.Context, events *mongo.Collection) error
		says  string // by export
		found string // by verify, in its output or its log
	}{
		"an event is missing": {func(ctx context.Context, events *mongo.Collection) error {
			_, err := events.DeleteOne(ctx, bson.D{{Key: "_id", Value: 5}})
			return err
		}, "the event at position 5 is missing", "event 5 of the log: want no gap"},
		"all events are missing": {func(ctx context.Context, events *mongo.Collection) error {
			_, err := events.DeleteMany(ctx, bson.D{})
			return err
		}, "the log ends at position 0, and has been at 1", "its first event"},
		"an event stands beyond the end": {func(ctx context.Context, events *mongo.Collection) error {
			var last bson.D
			if err := events.FindOne(ctx, bson.D{}, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})).Decode(&last); err != nil {
				return err
			}
			for i, field := range last {
				switch field.Key {
				case "_id":
					last[i].Value = int64(1000)
				case "stream", "commandId":
					last[i].Value = "elsewhere"
				}
			}
			_, err := events.InsertOne(ctx, last)
			return err
		}, "to 999 are missing before the one at position 1000", "to 999 are missing before the one at position 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, s := onSharedMongoDB(t)
			society(t, s.URL)
			apitest.Eventually(t, "the first event is written down", func() bool {
				return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "first", Value: bson.D{{Key: "$exists", Value: true}}}}).Err() == nil
			})
			s.Terminate(t)
			if err := c.spoil(t.Context(), db.Collection("events")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "log.jsonl")
			e := p.Command(t, "export", file)
			if _, err := os.Stat(file); e.Code != 1 || !strings.Contains(e.Log, c.says) || err == nil {
				t.Errorf("export: exit code %d, log %q, and of the file %v; want 1, %q and no file", e.Code, e.Log, err, c.says)
			}
			if e := p.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out+e.Log, c.found) {
				t.Errorf("verify: exit code %d, output %q, log %q; want 1 and %q", e.Code, e.Out, e.Log, c.found)
			}
		})
	}
}

// collectionDump is a dump of a collection.
type collectionDump struct{ docs, indexes []bson.D }

// backup copies a database, and restore replaces its content by the copy, as
// mongodump and mongorestore do.
func backup(t testing.TB, db *mongo.Database) map[string]collectionDump {
	t.Helper()
	kept := map[string]collectionDump{}
	for _, name := range apitest.Must(db.ListCollectionNames(t.Context(), bson.D{}))(t) {
		var c collectionDump
		if err := apitest.Must(db.Collection(name).Find(t.Context(), bson.D{}))(t).All(t.Context(), &c.docs); err != nil {
			t.Fatal(err)
		}
		if err := apitest.Must(db.Collection(name).Indexes().List(t.Context()))(t).All(t.Context(), &c.indexes); err != nil {
			t.Fatal(err)
		}
		kept[name] = c
	}
	return kept
}

func restore(t testing.TB, db *mongo.Database, kept map[string]collectionDump) {
	t.Helper()
	if err := db.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range kept {
		if err := db.RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: c.indexes}}).Err(); err != nil {
			t.Fatal(err)
		}
		if len(c.docs) > 0 {
			apitest.Must(db.Collection(name).InsertMany(t.Context(), c.docs))(t)
		}
	}
}

func TestDroppedLogTakesNoAppends(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	users := society(t, s.URL)
	head := apitest.Must(db.Collection("events").CountDocuments(t.Context(), bson.D{}))(t)
	apitest.Eventually(t, "the views are at the log's end and the first event is written down", func() bool {
		e := db.Collection("log").FindOne(t.Context(), bson.D{{Key: "first.stream", Value: bson.D{{Key: "$exists", Value: true}}}})
		v := db.Collection("views").FindOne(t.Context(), bson.D{{Key: "position", Value: head}})
		return e.Err() == nil && v.Err() == nil
	})
	kept := backup(t, db)
	if err := db.Collection("events").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	bob := users[1].At(s.URL)
	for range 3 {
		if d, err := bob.Post(t.Context(), "into nothing", ""); apitest.Code(err) != "UNAVAILABLE" {
			t.Errorf("post after the events were dropped: got position %q and %v, want UNAVAILABLE", d.Position, err)
		}
	}
	const advice = "stop all servers, restore the whole database from a backup"
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "the collection events is gone: "+advice)
	if log := s.Log.String(); strings.Count(log, "appends are refused") != 1 {
		t.Errorf("the server's log says %d times that appends are refused, want once", strings.Count(log, "appends are refused"))
	}
	for _, command := range []string{"export", "verify"} {
		if e := p.Command(t, command); e.Code != 1 || !strings.Contains(e.Log, "the collection events is gone") || e.Out != "" {
			t.Errorf("%s: exit code %d, output %q, log %q; want 1 and that the collection is gone", command, e.Code, e.Out, e.Log)
		}
	}
	s.Terminate(t)
	if e := p.Command(t, "serve", "--addr", "127.0.0.1:0"); e.Code != 1 || !strings.Contains(e.Log, "has lost its log") || !strings.Contains(e.Log, "estore the whole database") {
		t.Errorf("the next start: exit code %d, log %q; want 1 and what to do", e.Code, e.Log)
	}
	restore(t, db, kept)
	again := apitest.Launch(t, p)
	apitest.Ready(t, again.URL)
	bob.URL = again.URL
	apitest.Must(bob.Post(t.Context(), "on the restored log", ""))(t)
	if e := p.Command(t, "verify"); e.Code != 0 {
		t.Errorf("verify of the restored database: exit code %d, output %q, log %q; want 0", e.Code, e.Out, e.Log)
	}
	again.Terminate(t)
}

func TestLogWithoutIndexesTakesNoAppends(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	society(t, s.URL)
	if err := db.Collection("events").Indexes().DropAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var registered atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := (apitest.API{URL: s.URL}).Register(t.Context(), "Dot"); err == nil {
				registered.Add(1)
			}
		})
	}
	wg.Wait()
	if n := registered.Load(); n != 0 {
		t.Errorf("%d of 8 registrations of one name succeeded without the indexes, want none", n)
	}
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, "lacks its unique index stream_version")
	e := p.Command(t, "verify")
	if want := "the collection events lacks its unique index stream_version, the collection events lacks its unique index actor_command"; e.Code != 1 || !strings.Contains(e.Out, want) {
		t.Errorf("verify: exit code %d, output %q; want 1 and the indexes named", e.Code, e.Out)
	}
	if left := apitest.Must(db.Collection("events").Indexes().ListSpecifications(t.Context()))(t); len(left) != 1 {
		t.Errorf("after verify there are %d indexes, want only the one on _id", len(left))
	}
	other := apitest.Launch(t, p) // as it was advised, makes the indexes again
	apitest.Ready(t, other.URL)
	apitest.Ready(t, s.URL)
	apitest.RegisterAll(t, s.URL, "Eve")
	if e := p.Command(t, "verify"); e.Code != 0 {
		t.Errorf("verify once the indexes are back: exit code %d, output %q, log %q; want 0", e.Code, e.Out, e.Log)
	}
	s.Terminate(t)
	other.Terminate(t)
}

// withUsers starts a mongod with access control, a user who may do everything,
// and one who may read the database "chirp". It returns their URIs.
func withUsers(t *testing.T) (owner, reader string) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("key", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	set := mongotest.StartReplicaSet(t, 1, "--keyFile", key)
	as := func(user string) string {
		return strings.Replace(set.URI(), "mongodb://", "mongodb://"+user+":secret@", 1) + "&authSource=admin"
	}
	create := func(uri, user string, role any) {
		t.Helper()
		err := connectTo(t, uri).Database("admin").RunCommand(t.Context(), bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: "secret"}, {Key: "roles", Value: bson.A{role}}}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	create(set.URI(), "owner", "root")
	create(as("owner"), "reader", bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "chirp"}})
	return as("owner"), as("reader")
}

// withoutCredentials returns the URI of another user, who may read all collections of
// the database "chirp" that an export needs, but not the credentials.
func withoutCredentials(t *testing.T, owner string) string {
	t.Helper()
	privileges := bson.A{bson.D{{Key: "resource", Value: bson.D{{Key: "db", Value: "chirp"}, {Key: "collection", Value: ""}}}, {Key: "actions", Value: bson.A{"listCollections"}}}}
	for _, name := range []string{"events", "log"} {
		privileges = append(privileges, bson.D{{Key: "resource", Value: bson.D{{Key: "db", Value: "chirp"}, {Key: "collection", Value: name}}}, {Key: "actions", Value: bson.A{"find", "listIndexes"}}})
	}
	for _, command := range []bson.D{
		{{Key: "createRole", Value: "auditor"}, {Key: "privileges", Value: privileges}, {Key: "roles", Value: bson.A{}}},
		{{Key: "createUser", Value: "auditor"}, {Key: "pwd", Value: "secret"}, {Key: "roles", Value: bson.A{"auditor"}}},
	} {
		if err := connectTo(t, owner).Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Replace(owner, "owner:", "auditor:", 1)
}

func TestCommandsThatReadNeedOnlyTheRightToRead(t *testing.T) {
	t.Parallel()
	owner, reader := withUsers(t)
	s := apitest.Start(t, apitest.OnMongoDB(owner, "chirp"))
	society(t, s.URL)
	s.Terminate(t)
	db := connectTo(t, owner).Database("chirp")
	if err := db.RunCommand(t.Context(), bson.D{{Key: "profile", Value: 2}}).Err(); err != nil {
		t.Fatal(err)
	}
	reading := apitest.OnMongoDB(reader, "chirp")
	if e := reading.Command(t, "verify"); e.Code != 0 || !strings.Contains(e.Out, "differences: 0;") || e.Log != "" {
		t.Errorf("verify: exit code %d, output %q, log %q; want 0 and no difference", e.Code, e.Out, e.Log)
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if e := reading.Command(t, "export", file, "--with-credentials"); e.Code != 0 || strings.Count(e.Log, "\n") != 1 {
		t.Errorf("export: exit code %d, log %q; want 0 and one line", e.Code, e.Log)
	}
	wantOnlyReads(t, db)
	if e := apitest.OnMongoDB(withoutCredentials(t, owner), "chirp").Command(t, "export"); e.Code != 1 || !strings.Contains(e.Log, "must be able to read the collection credentials, which says who is disabled") || strings.Contains(e.Log, "try again") {
		t.Errorf("export without the right to read credentials: exit code %d, log %q; want 1 and that right", e.Code, e.Log)
	}

	if err := db.Collection("events").Indexes().DropOne(t.Context(), "stream_version"); err != nil {
		t.Fatal(err)
	}
	if e := reading.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out, "lacks its unique index stream_version") || !strings.Contains(e.Log, "differences: 1;") {
		t.Errorf("verify without an index: exit code %d, output %q, log %q; want 1 and the index as the only difference", e.Code, e.Out, e.Log)
	}
	for _, name := range []string{"events", "log"} {
		if err := db.Collection(name).Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		says := map[string]string{"events": "the collection events is gone", "log": "holds no log"}[name]
		for _, command := range []string{"verify", "export"} {
			if e := reading.Command(t, command); e.Code != 1 || !strings.Contains(e.Log, says) || e.Out != "" {
				t.Errorf("%s without the collection %s: exit code %d, output %q, log %q; want 1 and %q", command, name, e.Code, e.Out, e.Log, says)
			}
		}
	}
}

// wantOnlyReads checks in the profile of a database that only reads ran on it.
func wantOnlyReads(t *testing.T, db *mongo.Database) {
	t.Helper()
	var ran []struct {
		Command bson.D `bson:"command"`
	}
	ours := bson.D{{Key: "appName", Value: bson.D{{Key: "$regex", Value: "^chirp/"}}}}
	if err := apitest.Must(db.Collection("system.profile").Find(t.Context(), ours))(t).All(t.Context(), &ran); err != nil {
		t.Fatal(err)
	}
	reads := []string{"find", "getMore", "aggregate", "count", "listCollections", "listIndexes", "killCursors"}
	for _, r := range ran {
		if len(r.Command) == 0 || !slices.Contains(reads, r.Command[0].Key) {
			t.Errorf("a command that only reads sent %v", r.Command)
		}
	}
	if len(ran) == 0 {
		t.Error("the profile has nothing: this test has tried nothing")
	}
}

func TestGracefulStopsUnderLoadLeaveNoTransactionOpen(t *testing.T) {
	t.Parallel()
	set := mongotest.StartReplicaSet(t, 1)
	p := apitest.OnMongoDB(set.URI(), "chirp")
	url, start := newVictim(t, p)
	s := start()
	apitest.Ready(t, url())
	users := apitest.RegisterAll(t, url(), "ann", "bob", "cid", "dot")
	admin := connectTo(t, set.URI()).Database("admin")
	l := &load{users: users, url: url}
	l.run(t, 8, 1, func() {
		for range 4 {
			enough := l.acknowledged() + 40
			apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
			s.Terminate(t)
			var status struct {
				Transactions struct {
					Open int `bson:"currentOpen"`
				} `bson:"transactions"`
			}
			if err := admin.RunCommand(t.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
				t.Fatal(err)
			}
			if n := status.Transactions.Open; n != 0 {
				t.Errorf("%d transactions are open after a graceful stop, want none", n)
			}
			began := time.Now()
			s = start()
			apitest.Ready(t, url())
			t.Logf("ready again after %s", time.Since(began).Round(time.Millisecond))
		}
	})
}
