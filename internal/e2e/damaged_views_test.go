package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/storage/mongodb/mongotest"
)

// backedUp is a store that was backed up, written to, and stopped.
type backedUp struct {
	apitest.Place
	ann apitest.User
	bob apitest.User
	// log restores the log from the backup, and views the views. late restores the
	// last state of the views.
	log, views, late func()
}

// newBackedUp returns one in which bob has posted three times before the backup
// and four times after it, and ann follows him.
func newBackedUp(t *testing.T, p apitest.Place) *backedUp {
	t.Helper()
	h := &backedUp{Place: p}
	s := apitest.Start(t, p)
	users := apitest.RegisterAll(t, s.URL, "ann", "bob")
	h.ann, h.bob = users[0], users[1]
	apitest.Must(h.ann.At(s.URL).Follow(t.Context(), h.bob.ID, ""))(t)
	posted(t, h.bob.At(s.URL), "kept", 3)
	s.Terminate(t)
	h.log, h.views = backUp(t, p, ofTheLog), backUp(t, p, ofTheViews)
	s = apitest.Start(t, p)
	posted(t, h.bob.At(s.URL), "later", 4)
	s.Terminate(t)
	h.late = backUp(t, p, ofTheViews)
	return h
}

// postMore runs a server and posts some more chirps.
func (h *backedUp) postMore(t *testing.T, chirps int) {
	t.Helper()
	s := apitest.Start(t, h.Place)
	posted(t, h.bob.At(s.URL), "other", chirps)
	s.Terminate(t)
}

// wantServed checks that a server on the store shows what is in the log, and accepts
// more.
func (h *backedUp) wantServed(t *testing.T) {
	t.Helper()
	s := apitest.Start(t, h.Place)
	ann := h.ann.At(s.URL)
	_, ann.ReadAfter = posted(t, h.bob.At(s.URL), "last", 1)
	var want []string
	for _, e := range h.Events(t) {
		if _, text, is := strings.Cut(string(e.Data), `"content":"`); is {
			want = append(want, strings.TrimSuffix(text, `"}`))
		}
	}
	slices.Reverse(want)
	if got := apitest.Contents(apitest.Must(ann.Feed(t.Context(), 5))(t)); !slices.Equal(got, want) {
		t.Errorf("the feed is %q, want %q", got, want)
	}
	s.Terminate(t)
	wantSound(t, h.Place)
}

// harm is what happens to views while no server runs.
type harm struct {
	name string
	do   func(t *testing.T, h *backedUp)
	// says is what verify reports, empty if the views are in order.
	says string
	// rows is set if only rows are missing, which only a full comparison finds.
	rows bool
}

// restores is the harm that restoring a backup does, on both stores.
var restores = []harm{
	{"the log is older", func(t *testing.T, h *backedUp) { h.log() }, "at position 12", false},
	{"the log is older and went on", func(t *testing.T, h *backedUp) { h.log(); h.postMore(t, 9); h.late() }, "another event", false},
	{"the views are older", func(t *testing.T, h *backedUp) { h.views() }, "", false},
}

func TestViewsOlderOrNewerThanTheLogAreRebuilt(t *testing.T) {
	for _, c := range restores {
		t.Run(c.name, func(t *testing.T) {
			apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) { c.test(t, p) })
		})
	}
}

func TestDamagedViewsAreRebuilt(t *testing.T) {
	for _, c := range damagedFiles {
		t.Run("embedded/"+c.name, func(t *testing.T) { t.Parallel(); c.test(t, apitest.Embedded(t.TempDir())) })
	}
	for _, c := range damagedCollections {
		t.Run("mongodb/"+c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t)))
		})
	}
}

// test does the harm and follows verify's advice, to rebuild or to start a server.
// It then does the harm again and starts a server.
func (c harm) test(t *testing.T, p apitest.Place) {
	h := newBackedUp(t, p)
	c.do(t, h)
	r := p.Command(t, "verify")
	out := r.Out + r.Log
	if c.says == "" && r.Code != 0 || c.says != "" && (r.Code == 0 || !strings.Contains(out, c.says)) {
		t.Errorf("verify: got exit code %d and %s, want %q", r.Code, out, c.says)
	}
	switch advised := strings.Contains(out, "chirp rebuild"); {
	case c.says == "" || advised:
		if r := p.Command(t, "rebuild"); r.Code != 0 {
			t.Errorf("rebuild: got exit code %d and %s, want that it succeeds", r.Code, r.Log)
		}
		wantSound(t, p)
		h.wantServed(t)
	case strings.Contains(out, "start the server on this folder once"):
		h.wantServed(t)
	default:
		t.Errorf("verify said %s, want what to do", out)
	}
	if r := p.Command(t, "rebuild"); r.Code != 0 {
		t.Errorf("rebuild in the end: got exit code %d and %s", r.Code, r.Log)
	}
	if c.rows {
		return
	}
	h.postMore(t, 2) // the numbers of the generations are others now
	h.late = backUp(t, p, ofTheViews)
	c.do(t, h)
	h.wantServed(t)
}

// damagedFiles is the harm to the files of the embedded store.
var damagedFiles = []harm{
	{"all gone", func(t *testing.T, h *backedUp) { removeFiles(t, h.Args[1], ofTheViews) }, "there are no views yet", false},
	{"the serving file gone", func(t *testing.T, h *backedUp) {
		removeFiles(t, h.Args[1], func(name string) bool { return name != "views" && ofTheViews(name) })
	}, "there is no views-", false},
	{"those of another store", func(t *testing.T, h *backedUp) {
		other := newBackedUp(t, apitest.Embedded(t.TempDir()))
		copyFiles(t, other.Args[1], h.Args[1], ofTheViews)
	}, "made from another log", false},
	{"a choice of nothing", func(t *testing.T, h *backedUp) {
		if err := os.WriteFile(filepath.Join(h.Args[1], "views"), []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}, "there is no views-9.db", false},
}

// damagedCollections is the harm to the collections of MongoDB.
var damagedCollections = []harm{
	{"the documents of the generations dropped", onDatabase("views", `{"drop": "views"}`), "there are no views yet", false},
	{"the document of what serves deleted", onDatabase("views", `{"delete": "views", "deletes": [{"q": {"_id": "serving"}, "limit": 1}]}`), "there are no views yet", false},
	{"the document of the serving generation deleted", onDatabase("views", `{"delete": "views", "deletes": [{"q": {"epoch": {"$exists": true}}, "limit": 0}]}`), "there are no views yet", false},
	{"stray documents among those of the generations", onDatabase("views", `{"insert": "views", "documents": [{"hello": "world"}, {"x": 1}], "ordered": false}`), "", false},
	{"the timelines dropped", onDatabase("timelines_", `{"drop": "%s"}`), "the collection timelines_", false},
	{"the profiles dropped", onDatabase("profiles_", `{"drop": "%s"}`), "the collection profiles_", false},
	{"an index of the follows dropped", onDatabase("follows_", `{"dropIndexes": "%s", "index": "following"}`), "the index following of the collection follows_", false},
	{"the timelines emptied", onDatabase("timelines_", `{"delete": "%s", "deletes": [{"q": {}, "limit": 0}]}`), "timeline", true},
	{"the log of another epoch", onDatabase("log", `{"update": "log", "updates": [{"q": {}, "u": {"$set": {"epoch": "another"}}}]}`), "made from another log", false},
	{"their documents restored, with collections of later generations left", func(t *testing.T, h *backedUp) {
		if r := h.Command(t, "rebuild"); r.Code != 0 {
			t.Fatal(r.Log)
		}
		h.views()
	}, "", false},
}

// onDatabase runs a command on a MongoDB for each collection whose name begins
// with a prefix, with the name in the place of %s.
func onDatabase(collection, command string) func(t *testing.T, h *backedUp) {
	return func(t *testing.T, h *backedUp) {
		t.Helper()
		db := database(t, h.Place)
		for _, name := range apitest.Must(db.ListCollectionNames(t.Context(), bson.D{}))(t) {
			if !strings.HasPrefix(name, collection) {
				continue
			}
			var c bson.D
			text := strings.ReplaceAll(command, "%s", name)
			if err := bson.UnmarshalExtJSON([]byte(text), false, &c); err != nil {
				t.Fatal(err)
			}
			if err := db.RunCommand(t.Context(), c).Err(); err != nil && !strings.Contains(fmt.Sprint(err), "index not found") {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
}
