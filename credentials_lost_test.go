package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/storage/mongodb/mongotest"
)

const lostCredentials = "has lost credentials"

// marked waits until the log's document keeps that there are credentials.
func marked(t testing.TB, db *mongo.Database) {
	t.Helper()
	eventually(t, "the log's document keeps that there are credentials", func() bool {
		there := bson.D{{Key: "$exists", Value: true}}
		return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "passwords.user", Value: there}, {Key: "secret", Value: true}}).Err() == nil
	})
}

// wantLost checks what the commands and another server say of a database that
// has lost credentials, and returns what the start says.
func wantLost(t *testing.T, p place, db *mongo.Database) string {
	t.Helper()
	names := must(db.ListCollectionNames(t.Context(), bson.D{}))(t)
	if e := p.command(t, "verify"); e.code != 1 || !strings.Contains(e.out, lostCredentials) || !strings.Contains(e.log, "differences: 1;") {
		t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the loss as the only difference", e.code, e.out, e.log)
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	e := p.command(t, "export", file, "--with-credentials")
	if _, err := os.Stat(file); e.code != 1 || !strings.Contains(e.log, lostCredentials) || err == nil {
		t.Errorf("export --with-credentials: exit code %d, log %q, and of the file %v; want 1, the loss and no file", e.code, e.log, err)
	}
	if e := p.command(t, "export", file); e.code != 0 || !strings.Contains(e.log, lostCredentials) {
		t.Errorf("export: exit code %d, log %q; want 0 and the loss", e.code, e.log)
	}
	started := launchRefused(t, p)
	if !strings.Contains(started, lostCredentials) {
		t.Errorf("another start: got %q, want the loss", started)
	}
	slices.Sort(names)
	after := must(db.ListCollectionNames(t.Context(), bson.D{}))(t)
	if slices.Sort(after); !slices.Equal(after, names) {
		t.Errorf("the collections are %q after the commands, want them as before: %q", after, names)
	}
	return started
}

func wantUnavailable(t testing.TB, what string, err error) {
	t.Helper()
	if code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), "the operator") {
		t.Errorf("%s: got %v, want UNAVAILABLE and that the operator must mend it", what, err)
	}
}

func TestLostCredentialsAreNotTakenForNone(t *testing.T) {
	t.Parallel()
	rename := func(t testing.TB, db *mongo.Database, from, to string) {
		t.Helper()
		command := bson.D{{Key: "renameCollection", Value: db.Name() + "." + from}, {Key: "to", Value: db.Name() + "." + to}}
		if err := db.Client().Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatal(err)
		}
	}
	drop := func(t testing.TB, db *mongo.Database, name string) {
		t.Helper()
		if err := db.Collection(name).Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		collection string
		lose       func(t testing.TB, db *mongo.Database, collection string)
		renamed    bool
		says       string
	}{
		"credentials dropped": {"credentials", drop, false, "the collection credentials is gone"},
		"credentials renamed": {"credentials", func(t testing.TB, db *mongo.Database, name string) { rename(t, db, name, "away") }, true, "the collection credentials is gone"},
		"credentials replaced": {"credentials", func(t testing.TB, db *mongo.Database, name string) {
			drop(t, db, name)
			must(db.Collection(name).InsertOne(t.Context(), bson.D{{Key: "_id", Value: "user_other"}, {Key: "hash", Value: "x"}}))(t)
		}, false, "was replaced by one without"},
		"credentials emptied": {"credentials", func(t testing.TB, db *mongo.Database, name string) {
			must(db.Collection(name).DeleteMany(t.Context(), bson.D{}))(t)
		}, false, "has lost the credentials that it had"},
		"secrets dropped": {"secrets", drop, false, "the token secret in the collection secrets is gone"},
		"secrets emptied": {"secrets", func(t testing.TB, db *mongo.Database, name string) {
			must(db.Collection(name).DeleteMany(t.Context(), bson.D{}))(t)
		}, false, "the token secret in the collection secrets is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, s := onSharedMongoDB(t)
			ann := registerAll(t, s.url, "ann", "bob")[0]
			marked(t, db)
			var docs []bson.D
			if err := must(db.Collection(c.collection).Find(t.Context(), bson.D{}))(t).All(t.Context(), &docs); err != nil {
				t.Fatal(err)
			}
			c.lose(t, db, c.collection)
			if c.collection == "credentials" { // not even the next log-in is refused for its password
				_, err := (api{url: s.url}).logIn(t.Context(), "ann", password)
				wantUnavailable(t, "log-in right after it", err)
			}
			awaitProbe(t, s.url, http.StatusServiceUnavailable, c.says)
			_, err := (api{url: s.url}).logIn(t.Context(), "ann", password)
			wantUnavailable(t, "log-in", err)
			_, err = (api{url: s.url}).register(t.Context(), "cid")
			wantUnavailable(t, "registration", err)
			must(ann.at(s.url).post(t.Context(), "posts go on", ""))(t)
			wantLost(t, p, db)

			if c.renamed { // the restoration, as it was advised
				rename(t, db, "away", c.collection)
			} else {
				must(db.Collection(c.collection).InsertMany(t.Context(), docs))(t)
			}
			ready(t, s.url)
			must((api{url: s.url}).logIn(t.Context(), "ann", password))(t)
			registerAll(t, s.url, "cid")
			p.export(t, "--with-credentials")
			if e := p.command(t, "verify"); e.code != 0 {
				t.Errorf("verify once they are restored: exit code %d, output %q, log %q; want 0", e.code, e.out, e.log)
			}
			said := 0 // between two steps of the loss the reason may have been another
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, "with a password are refused") && strings.Contains(line, c.says) {
					said++
				}
			}
			if said != 1 {
				t.Errorf("the server's log says %d times that log-ins are refused because %s, want once", said, c.says)
			}
			s.terminate(t)
			s = launch(t, p)
			ready(t, s.url)
			must(ann.at(s.url).post(t.Context(), "after a restart", ""))(t)
			s.terminate(t)
		})
	}
}

func TestAServerGoesOnWithoutCredentialsWhenItIsTold(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	registerAll(t, s.url, "ann")
	marked(t, db)
	for _, name := range []string{"credentials", "secrets"} {
		if err := db.Collection(name).Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	awaitProbe(t, s.url, http.StatusServiceUnavailable, lostCredentials)
	said := wantLost(t, p, db)
	advice := regexp.MustCompile(`db\.log\.updateOne\(\{_id: "log"\}, \{\$unset: \{(\w+): ""\}\}\)`).FindAllStringSubmatch(strings.ReplaceAll(said, `\"`, `"`), -1)
	if len(advice) != 2 {
		t.Fatalf("the start says %q, want how to go on without the credentials and without the secret", said)
	}
	s.terminate(t)
	for _, a := range advice {
		must(db.Collection("log").UpdateByID(t.Context(), "log", bson.D{{Key: "$unset", Value: bson.D{{Key: a[1], Value: ""}}}}))(t)
	}
	s = launch(t, p)
	ready(t, s.url)
	if _, err := (api{url: s.url}).logIn(t.Context(), "ann", password); code(err) != "UNAUTHENTICATED" {
		t.Errorf("log-in without the credential: got %v, want UNAUTHENTICATED", err)
	}
	registerAll(t, s.url, "bob")
	must((api{url: s.url}).logIn(t.Context(), "bob", password))(t)
	wantSound(t, p)
	s.terminate(t)
}

// A log that was imported without credentials has accounts without any, and so
// has one of outside identities.
func TestCredentialsThatNeverWereAreNotLost(t *testing.T) {
	t.Parallel()
	from, _, s := onSharedMongoDB(t)
	registerAll(t, s.url, "ann", "bob")
	file := from.export(t)
	s.terminate(t)
	to := onMongoDB(mongotest.URI(t), mongotest.Database(t))
	before := launch(t, to)
	ready(t, before.url)
	before.terminate(t)
	to.mustImport(t, file)
	for range 2 {
		s = launch(t, to)
		ready(t, s.url)
		if e := to.command(t, "verify"); e.code != 0 {
			t.Errorf("verify: exit code %d, output %q, log %q; want 0", e.code, e.out, e.log)
		}
		to.export(t, "--with-credentials")
		if _, err := (api{url: s.url}).logIn(t.Context(), "ann", password); code(err) != "UNAUTHENTICATED" {
			t.Errorf("log-in without a credential: got %v, want UNAUTHENTICATED", err)
		}
		s.terminate(t)
	}
	s = launch(t, to)
	ready(t, s.url)
	registerAll(t, s.url, "cid")
	s.terminate(t)
}

// TestImportedCredentialsAreMissed loses them before the first server starts.
func TestImportedCredentialsAreMissed(t *testing.T) {
	t.Parallel()
	from := embedded(t.TempDir())
	s := launch(t, from)
	ready(t, s.url)
	registerAll(t, s.url, "ann")
	file := from.export(t, "--with-credentials")
	s.terminate(t)
	name := mongotest.Database(t)
	to, db := onMongoDB(mongotest.URI(t), name), connectTo(t, mongotest.URI(t)).Database(name)
	to.mustImport(t, file)
	if err := db.Collection("credentials").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := launchRefused(t, to); !strings.Contains(said, lostCredentials) {
		t.Errorf("start: got %q, want the loss", said)
	}
}
