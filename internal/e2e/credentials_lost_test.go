package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/archive"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/storage/mongodb/mongotest"
)

const lostCredentials = "has lost credentials"

// marked waits until the log's document records that there are credentials.
func marked(t testing.TB, db *mongo.Database) {
	t.Helper()
	apitest.Eventually(t, "the log's document records that there are credentials", func() bool {
		there := bson.D{{Key: "$exists", Value: true}}
		return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "passwords.user", Value: there}, {Key: "secret", Value: true}}).Err() == nil
	})
}

// wantLost checks what the commands and another server say about a database that
// has lost its credentials, or only its token secret, and returns what the server says.
func wantLost(t *testing.T, p apitest.Place, db *mongo.Database, onlySecret bool) string {
	t.Helper()
	names := apitest.Must(db.ListCollectionNames(t.Context(), bson.D{}))(t)
	if e := p.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out, lostCredentials) || !strings.Contains(e.Log, "differences: 1;") {
		t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the loss as the only difference", e.Code, e.Out, e.Log)
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	e := p.Command(t, "export", file, "--with-credentials")
	if _, err := os.Stat(file); e.Code != 1 || !strings.Contains(e.Log, lostCredentials) || err == nil {
		t.Errorf("export --with-credentials: exit code %d, log %q, and of the file %v; want 1, the loss and no file", e.Code, e.Log, err)
	}
	if e := p.Command(t, "export", file); e.Code != 0 || !strings.Contains(e.Log, lostCredentials) || strings.Contains(e.Log, "does not say who is disabled") == onlySecret {
		t.Errorf("export: exit code %d, log %q; want 0, the loss and that the file does not say who is disabled: %t", e.Code, e.Log, !onlySecret)
	}
	if r, err := archive.NewReader(strings.NewReader(content(t, file))); err != nil || r.Header.AccessLost == onlySecret || r.Header.Access != onlySecret {
		t.Errorf("export: got error %v, want a file that says who is disabled, or that the access is lost: %t", err, !onlySecret)
	}
	started := launchRefused(t, p)
	if !strings.Contains(started, lostCredentials) {
		t.Errorf("another start: got %q, want the loss", started)
	}
	slices.Sort(names)
	after := apitest.Must(db.ListCollectionNames(t.Context(), bson.D{}))(t)
	if slices.Sort(after); !slices.Equal(after, names) {
		t.Errorf("the collections are %q after the commands, want them as before: %q", after, names)
	}
	return started
}

func wantUnavailable(t testing.TB, what string, err error) {
	t.Helper()
	if apitest.Code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), "the operator") {
		t.Errorf("%s: got %v, want UNAVAILABLE and a mention of the operator", what, err)
	}
}

func TestLostCredentialsAreNotMistakenForNone(t *testing.T) {
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
			apitest.Must(db.Collection(name).InsertOne(t.Context(), bson.D{{Key: "_id", Value: "user_other"}, {Key: "hash", Value: "x"}}))(t)
		}, false, "was replaced by one without"},
		"credentials emptied": {"credentials", func(t testing.TB, db *mongo.Database, name string) {
			apitest.Must(db.Collection(name).DeleteMany(t.Context(), bson.D{}))(t)
		}, false, "has lost the credentials that it had"},
		"secrets dropped": {"secrets", drop, false, "the token secret in the collection secrets is gone"},
		"secrets emptied": {"secrets", func(t testing.TB, db *mongo.Database, name string) {
			apitest.Must(db.Collection(name).DeleteMany(t.Context(), bson.D{}))(t)
		}, false, "the token secret in the collection secrets is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, s := onSharedMongoDB(t)
			ann := apitest.RegisterAll(t, s.URL, "ann", "bob")[0]
			marked(t, db)
			if e := p.Command(t, "user", "disable", "bob"); e.Code != 0 {
				t.Fatalf("user disable: %s", e.Log)
			}
			var docs []bson.D
			if err := apitest.Must(db.Collection(c.collection).Find(t.Context(), bson.D{}))(t).All(t.Context(), &docs); err != nil {
				t.Fatal(err)
			}
			c.lose(t, db, c.collection)
			if c.collection == "credentials" { // not even the next log-in is refused for its password
				_, err := (apitest.API{URL: s.URL}).LogIn(t.Context(), "ann", apitest.Password)
				wantUnavailable(t, "log-in right after it", err)
			}
			apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, c.says)
			_, err := (apitest.API{URL: s.URL}).LogIn(t.Context(), "ann", apitest.Password)
			wantUnavailable(t, "log-in", err)
			_, err = (apitest.API{URL: s.URL}).Register(t.Context(), "cid")
			wantUnavailable(t, "registration", err)
			apitest.Must(ann.At(s.URL).Post(t.Context(), "posts still work", ""))(t)
			wantLost(t, p, db, c.collection == "secrets")

			if c.renamed { // the restoration, as it was advised
				rename(t, db, "away", c.collection)
			} else {
				apitest.Must(db.Collection(c.collection).InsertMany(t.Context(), docs))(t)
			}
			apitest.Ready(t, s.URL)
			apitest.Must((apitest.API{URL: s.URL}).LogIn(t.Context(), "ann", apitest.Password))(t)
			apitest.RegisterAll(t, s.URL, "cid")
			p.Export(t, "--with-credentials")
			if e := p.Command(t, "verify"); e.Code != 0 {
				t.Errorf("verify once they are restored: exit code %d, output %q, log %q; want 0", e.Code, e.Out, e.Log)
			}
			said := 0 // between two steps of the loss the reason may have been another
			for line := range strings.Lines(s.Log.String()) {
				if strings.Contains(line, "with a password are refused") && strings.Contains(line, c.says) {
					said++
				}
			}
			if said != 1 {
				t.Errorf("the server's log says %d times that log-ins are refused because %s, want once", said, c.says)
			}
			s.Terminate(t)
			s = apitest.Start(t, p)
			apitest.Must(ann.At(s.URL).Post(t.Context(), "after a restart", ""))(t)
			s.Terminate(t)
		})
	}
}

func TestServerContinuesWithoutCredentialsWhenTold(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	apitest.RegisterAll(t, s.URL, "ann")
	marked(t, db)
	for _, name := range []string{"credentials", "secrets"} {
		if err := db.Collection(name).Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, lostCredentials)
	said := wantLost(t, p, db, false)
	if !strings.Contains(said, "those who were disabled are enabled until chirp user disable") {
		t.Errorf("the start says %q, want what it means for who was disabled", said)
	}
	advice := regexp.MustCompile(`db\.log\.updateOne\(\{_id: "log"\}, \{\$unset: \{(\w+): ""\}\}\)`).FindAllStringSubmatch(strings.ReplaceAll(said, `\"`, `"`), -1)
	if len(advice) != 2 {
		t.Fatalf("the start says %q, want how to continue without the credentials and without the secret", said)
	}
	s.Terminate(t)
	for _, a := range advice {
		apitest.Must(db.Collection("log").UpdateByID(t.Context(), "log", bson.D{{Key: "$unset", Value: bson.D{{Key: a[1], Value: ""}}}}))(t)
	}
	s = apitest.Start(t, p)
	if _, err := (apitest.API{URL: s.URL}).LogIn(t.Context(), "ann", apitest.Password); apitest.Code(err) != "UNAUTHENTICATED" {
		t.Errorf("log-in without the credential: got %v, want UNAUTHENTICATED", err)
	}
	apitest.RegisterAll(t, s.URL, "bob")
	apitest.Must((apitest.API{URL: s.URL}).LogIn(t.Context(), "bob", apitest.Password))(t)
	wantSound(t, p)
	s.Terminate(t)
}

// A log that was imported without credentials has accounts without any, and so
// does one whose users log in with an OpenID Connect issuer.
func TestCredentialsThatNeverExistedAreNotLost(t *testing.T) {
	t.Parallel()
	from, _, s := onSharedMongoDB(t)
	apitest.RegisterAll(t, s.URL, "ann", "bob")
	file := from.Export(t)
	s.Terminate(t)
	to := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	before := apitest.Launch(t, to)
	apitest.Ready(t, before.URL)
	before.Terminate(t)
	to.Import(t, file)
	for range 2 {
		s = apitest.Start(t, to)
		if e := to.Command(t, "verify"); e.Code != 0 {
			t.Errorf("verify: exit code %d, output %q, log %q; want 0", e.Code, e.Out, e.Log)
		}
		to.Export(t, "--with-credentials")
		if _, err := (apitest.API{URL: s.URL}).LogIn(t.Context(), "ann", apitest.Password); apitest.Code(err) != "UNAUTHENTICATED" {
			t.Errorf("log-in without a credential: got %v, want UNAUTHENTICATED", err)
		}
		s.Terminate(t)
	}
	s = apitest.Start(t, to)
	apitest.RegisterAll(t, s.URL, "cid")
	s.Terminate(t)
}

// TestImportedCredentialsAreMissed loses them before the first server starts.
func TestImportedCredentialsAreMissed(t *testing.T) {
	t.Parallel()
	from := apitest.Embedded(t.TempDir())
	s := apitest.Start(t, from)
	apitest.RegisterAll(t, s.URL, "ann")
	file := from.Export(t, "--with-credentials")
	s.Terminate(t)
	name := mongotest.Database(t)
	to, db := apitest.OnMongoDB(mongotest.URI(t), name), connectTo(t, mongotest.URI(t)).Database(name)
	to.Import(t, file)
	if err := db.Collection("credentials").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := launchRefused(t, to); !strings.Contains(said, lostCredentials) {
		t.Errorf("start: got %q, want the loss", said)
	}
}
