package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestRebuildOfAnImportedHistory loads the log of a network with chirp import
// and rebuilds its views twice: first alone, then beside a server under load,
// which must answer every read. CHIRP_TEST_HISTORY_USERS is the number of users.
// The network is that of the folder shared/data next to the checkout if there is
// one, and generated otherwise.
func TestRebuildOfAnImportedHistory(t *testing.T) {
	file := history(t, fromEnv(t, "CHIRP_TEST_HISTORY_USERS", 200))
	// One after the other, because times are measured.
	t.Run("embedded", func(t *testing.T) { rebuildImported(t, apitest.Embedded(t.TempDir()), file) })
	t.Run("mongodb", func(t *testing.T) {
		rebuildImported(t, apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t)), file)
	})
}

// history writes the log of a network to a file.
func history(t *testing.T, users uint64) string {
	t.Helper()
	const follows, texts = "../shared/data/github-follows.csv.gz", "../shared/data/posts.txt"
	file := filepath.Join(t.TempDir(), "history.jsonl")
	args := []string{"run", "chirp/bench/load", "--history", file, "--most-followed",
		"--users", strconv.FormatUint(users, 10), "--posts", strconv.FormatUint(users*16/3, 10)}
	if _, err := os.Stat(filepath.Join(root, follows)); err == nil {
		args = append(args, "--follows", filepath.Join(root, follows), "--texts", filepath.Join(root, texts))
	} else {
		t.Logf("the network is made up, for there is no %s", follows)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return file
}

func rebuildImported(t *testing.T, p apitest.Place, file string) {
	// carryOut logs what a command prints and how long it takes.
	carryOut := func(args ...string) apitest.Result {
		t.Helper()
		began := time.Now()
		e := p.Command(t, args...)
		t.Logf("%s: %s, at most %d MiB: %s", strings.Join(args, " "), time.Since(began).Round(10*time.Millisecond), e.Memory>>20, strings.TrimSpace(e.Out))
		if e.Code != 0 {
			t.Fatalf("%s: exit code %d, log:\n%s", args[0], e.Code, e.Log)
		}
		return e
	}
	carryOut("import", file)
	carryOut("rebuild", "--celebrity-threshold", "1000")

	url, start := newVictim(t, p)
	server := start()
	apitest.Ready(t, url())
	users := apitest.RegisterAll(t, url(), numbered("guest", 24)...)
	followAndPost(t, users[23].At(url()), users[:3], url())
	l := &load{users: users, url: url, rest: 40 * time.Millisecond} // as in TestSoak
	l.run(t, 4, rand.Uint64(), func() {
		stop := make(chan struct{})
		var readers sync.WaitGroup
		readers.Go(func() { readAndReconnect(t, users, url, stop) })
		enough := l.acknowledged() + 50
		apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
		before := l.acknowledged()
		e := carryOut("rebuild", "--celebrity-threshold", "500")
		if !strings.Contains(e.Out, "Generation 3 of the views serves") {
			t.Errorf("rebuild said %q", e.Out)
		}
		t.Logf("%d mutations were acknowledged beside it, %d sent again", l.acknowledged()-before, l.repeats.Load())
		close(stop)
		readers.Wait()
	})
	if e := carryOut("verify"); !strings.HasPrefix(e.Out, "differences: 0;") {
		t.Errorf("verify beside the server said %q", e.Out)
	}
	server.Terminate(t)
}
