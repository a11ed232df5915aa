package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
)

// loseEntries deletes all timeline entries of one chirp from a place's views.
func loseEntries(t testing.TB, p apitest.Place, position string) {
	t.Helper()
	if p.Args[0] == "--data" {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(p.Args[1], "views-1.db")+"?_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("DELETE FROM timeline WHERE position = " + position); err != nil {
			t.Fatal(err)
		}
		return
	}
	client, err := mongo.Connect(options.Client().ApplyURI(p.Args[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	timelines := client.Database(p.Args[3]).Collection("timelines_1")
	if _, err := timelines.DeleteMany(t.Context(), bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$toString", Value: "$p"}}, position}}}}}); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyBesideARunningServer(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		ann, bob := users[0].At(s.URL), users[1].At(s.URL)
		apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
		lost := apitest.Must(bob.Post(t.Context(), "one", ""))(t).Position
		busy, stop := make(chan error, 1), make(chan struct{})
		go func() { // the server keeps writing
			for {
				select {
				case <-stop:
					busy <- nil
					return
				default:
				}
				if _, err := bob.Post(t.Context(), "more", ""); err != nil {
					busy <- err
					return
				}
			}
		}()
		clean := apitest.Execute(t, slices.Concat([]string{"verify"}, p.Args)...)
		if clean.Code != 0 || !strings.Contains(clean.Out, "differences: 0; generation 1 of the views at position ") || !strings.Contains(clean.Out, " 2 users, ") {
			t.Errorf("chirp verify: got exit code %d, want 0 and a summary without differences\n%s%s", clean.Code, clean.Out, clean.Log)
		}
		close(stop)
		if err := <-busy; err != nil {
			t.Errorf("a post while the views were verified: %v", err)
		}

		ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "last", ""))(t).Position
		apitest.Must(ann.Page(t.Context(), 1, ""))(t)
		loseEntries(t, p, lost)
		broken := apitest.Execute(t, slices.Concat([]string{"verify", "--sample", "2", "--seed", "7"}, p.Args)...)
		for _, want := range []string{"timeline entry " + lost + " of @Ann (user 1): want there, got missing\n", "\ndifferences: 1; ", "chosen by --seed 7"} {
			if !strings.Contains(broken.Out, want) || broken.Code != 1 {
				t.Errorf("chirp verify after an entry was lost: got exit code %d, want 1 and %q\n%s%s", broken.Code, want, broken.Out, broken.Log)
			}
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a folder that is not there", []string{"--data", filepath.Join(empty, "none")}, 1, "does not exist"},
		{"a folder without a log", []string{"--data", empty}, 1, "holds no log"},
		{"a negative sample", []string{"--sample=-1"}, 2, "--sample: -1 is less than 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := apitest.Execute(t, append([]string{"verify"}, c.args...)...)
			if got.Code != c.code || !strings.Contains(got.Log, c.want) || got.Out != "" {
				t.Errorf("got exit code %d and %q, want %d and %q", got.Code, got.Log, c.code, c.want)
			}
		})
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
		t.Errorf("the folder without a log has %v afterwards, error %v; want nothing", left, err)
	}
}

// TestCommandsRefuseADatabaseWithoutALog runs the commands that read a log on a
// database that has none.
func TestCommandsRefuseADatabaseWithoutALog(t *testing.T) {
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	for _, args := range [][]string{{"verify"}, {"rebuild"}, {"export", filepath.Join(t.TempDir(), "log.jsonl")}} {
		if e := p.Command(t, args...); e.Code != 1 || !strings.Contains(e.Log, "holds no log") || e.Out != "" {
			t.Errorf("%s: exit code %d, output %q, log %q; want 1 and that the database holds no log", args[0], e.Code, e.Out, e.Log)
		}
	}
}
