package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// TestLoadFindsExactFeeds plays a small load against the real server program on
// each store. It uses a real follow graph and real texts where the folder
// shared/data stands beside the checkout, and the load's own otherwise.
func TestLoadFindsExactFeeds(t *testing.T) {
	o := options{users: 150, posts: 1000, check: 150, workers: 16, seed: 1}
	follows, texts := "../../../shared/data/github-follows.csv.gz", "../../../shared/data/posts.txt"
	if _, err := os.Stat(follows); err == nil {
		o.follows, o.texts, o.mostFollowed = follows, texts, true
		t.Logf("with the follow graph and the texts of %s", filepath.Dir(follows))
	} else {
		t.Log("with a graph and texts of its own")
	}
	program := filepath.Join(t.TempDir(), "chirp")
	if out, err := exec.Command("go", "build", "-o", program, "chirp").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	stores := []struct {
		name string
		args func(t *testing.T) []string
	}{
		{"embedded", func(t *testing.T) []string { return []string{"--data", t.TempDir()} }},
		{"mongodb", func(t *testing.T) []string {
			return []string{"--mongodb-uri", mongotest.URI(t), "--mongodb-database", mongotest.Database(t)}
		}},
	}
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			o := o
			// A low threshold makes celebrities of the most followed.
			o.url = serve(t, program, append(store.args(t), "--celebrity-threshold", "40")...)
			var out strings.Builder
			if err := run(t.Context(), o, &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
			t.Log("\n" + out.String())
		})
	}
}

// TestLoadFailsOnAnOtherFeed shows that the comparison can fail: a post that
// the load does not know of makes a feed another one than it must be.
func TestLoadFailsOnAnOtherFeed(t *testing.T) {
	program := filepath.Join(t.TempDir(), "chirp")
	if out, err := exec.Command("go", "build", "-o", program, "chirp").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	url := serve(t, program, "--data", t.TempDir())
	p := newPlayer(options{url: url, users: 2, posts: 1, check: 2, workers: 1}, io.Discard)
	p.edges = [][2]int{{0, 1}, {1, 0}}
	if err := p.play(t.Context(), []string{"known"}); err != nil {
		t.Fatal(err)
	}
	posted := p.posted
	if err := p.poster([]string{"unknown"})(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.posted = posted
	var errs []error
	check := p.checker()
	for i := range p.users {
		errs = append(errs, check(t.Context(), i))
	}
	if errs[0] == nil && errs[1] == nil {
		t.Error("both feeds pass, one of them has a chirp that the load knows nothing of")
	}
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// serve starts the server program on a free port, waits until it is ready, and
// stops it in an orderly way when the test ends. It gives the GraphQL URL.
func serve(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--addr", "127.0.0.1:0", "--rate-limit", "0"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	url := ""
	for url == "" && lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			url = found[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(strings.TrimSuffix(url, "/graphql") + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
	}
	t.Fatal("the server is not ready after a minute")
	return ""
}
