package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/verify"
)

// ended is a command that ran to its end as a process of its own.
type ended struct {
	out, log string
	code     int
	memory   int64 // the most that was in memory, in bytes
}

// execute runs the program with a command line.
func execute(t testing.TB, args ...string) ended {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	e := ended{out: out.String(), log: log.String(), code: cmd.ProcessState.ExitCode()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		e.memory = usage.Maxrss << 10
	}
	return e
}

// loseEntries takes all timeline entries of one chirp out of a place's views.
func loseEntries(t testing.TB, p place, position string) {
	t.Helper()
	if p.args[0] == "--data" {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(p.args[1], "views-1.db")+"?_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("DELETE FROM timeline WHERE position = " + position); err != nil {
			t.Fatal(err)
		}
		return
	}
	client, err := mongo.Connect(options.Client().ApplyURI(p.args[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	timelines := client.Database(p.args[3]).Collection("timelines_1")
	if _, err := timelines.DeleteMany(t.Context(), bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$toString", Value: "$p"}}, position}}}}}); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyBesideARunningServer(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := launch(t, p)
		ready(t, s.url)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann, bob := users[0].at(s.url), users[1].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		lost := must(bob.post(t.Context(), "one", ""))(t).Position
		busy, stop := make(chan error, 1), make(chan struct{})
		go func() { // the server goes on writing
			for {
				select {
				case <-stop:
					busy <- nil
					return
				default:
				}
				if _, err := bob.post(t.Context(), "more", ""); err != nil {
					busy <- err
					return
				}
			}
		}()
		clean := execute(t, slices.Concat([]string{"verify"}, p.args)...)
		if clean.code != 0 || !strings.Contains(clean.out, "differences: 0; generation 1 of the views at position ") || !strings.Contains(clean.out, " 2 users, ") {
			t.Errorf("chirp verify: got exit code %d, want 0 and a summary without differences\n%s%s", clean.code, clean.out, clean.log)
		}
		close(stop)
		if err := <-busy; err != nil {
			t.Errorf("a post while the views were verified: %v", err)
		}

		ann.readAfter = must(bob.post(t.Context(), "last", ""))(t).Position
		must(ann.page(t.Context(), 1, ""))(t)
		loseEntries(t, p, lost)
		broken := execute(t, slices.Concat([]string{"verify", "--sample", "2", "--seed", "7"}, p.args)...)
		for _, want := range []string{"timeline entry " + lost + " of @Ann (user 1): want there, got missing\n", "\ndifferences: 1; ", "drawn by --seed 7"} {
			if !strings.Contains(broken.out, want) || broken.code != 1 {
				t.Errorf("chirp verify after an entry was lost: got exit code %d, want 1 and %q\n%s%s", broken.code, want, broken.out, broken.log)
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
			got := execute(t, append([]string{"verify"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.log, c.want) || got.out != "" {
				t.Errorf("got exit code %d and %q, want %d and %q", got.code, got.log, c.code, c.want)
			}
		})
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
		t.Errorf("the folder without a log has %v afterwards, error %v; want nothing", left, err)
	}
}

// TestCommandsRefuseADatabaseWithoutALog has commands that read a log get the
// name of a database that holds none.
func TestCommandsRefuseADatabaseWithoutALog(t *testing.T) {
	p := onMongoDB(mongotest.URI(t), mongotest.Database(t))
	for _, args := range [][]string{{"verify"}, {"rebuild"}, {"export", filepath.Join(t.TempDir(), "log.jsonl")}} {
		if e := p.command(t, args...); e.code != 1 || !strings.Contains(e.log, "holds no log") || e.out != "" {
			t.Errorf("%s: exit code %d, output %q, log %q; want 1 and that the database holds no log", args[0], e.code, e.out, e.log)
		}
	}
}

func TestProgressIsALineOnATerminalOnly(t *testing.T) {
	var terminal, plain bytes.Buffer
	onTerminal := &progressLine{out: &terminal, terminal: true}
	elsewhere := &progressLine{out: &plain}
	for _, p := range []*progressLine{onTerminal, elsewhere, nil} {
		p.show(verify.Progress{Step: "events", Done: 0, Total: 10})
		if p != nil {
			p.last = p.last.Add(-plainProgressEvery)
			p.began = p.began.Add(-plainProgressEvery)
		}
		p.show(verify.Progress{Step: "events", Done: 5, Total: 10})
		p.clear()
		p.clear()
	}
	if got, want := terminal.String(), "\r\x1b[K5 of 10 events, 0/s\r\x1b[K"; got != want {
		t.Errorf("on a terminal: got %q, want %q", got, want)
	}
	if got, want := plain.String(), "5 of 10 events, 0/s\n"; got != want {
		t.Errorf("elsewhere: got %q, want %q", got, want)
	}
}
