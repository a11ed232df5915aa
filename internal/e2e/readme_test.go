package e2e

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
)

// readmeBlocks returns the shell blocks below a heading of the README.
func readmeBlocks(t *testing.T, heading string) []string {
	t.Helper()
	_, section, found := strings.Cut(content(t, filepath.Join(root, "README.md")), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []string
	for i, part := range strings.Split(section, "```") {
		if block, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// paste runs lines in a shell of their own, as pasted into a new terminal.
func paste(t *testing.T, s *apitest.Process, lines ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := terminal(t, s, &out, lines...).Run(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return out.String()
}

func terminal(t *testing.T, s *apitest.Process, out io.Writer, lines ...string) *exec.Cmd {
	script := strings.ReplaceAll(strings.Join(lines, ""), "localhost:8080", strings.TrimPrefix(s.URL, "http://"))
	shell := exec.CommandContext(t.Context(), "bash", "-s")
	shell.Env = append(os.Environ(), "TOKEN=of-something-else")
	shell.Stdin, shell.Stdout, shell.Stderr = strings.NewReader(script), out, out
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to be interrupted with what it runs, as by Ctrl-C
	return shell
}

// The session is pasted twice, with a new server's limits, and watched in
// between.
func TestTheREADMEsSessionCanBePastedAgain(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, "--rate-limit", "20")
		blocks := readmeBlocks(t, "A session to paste")
		if len(blocks) != 4 {
			t.Fatalf("got %d blocks, want the functions, the session, the watch and the third terminal", len(blocks))
		}
		functions, session, watch, third := blocks[0], blocks[1], blocks[2], blocks[3]
		for i := range 2 {
			got := paste(t, s, functions, session)
			for _, want := range []string{`"username":"alice"`, `"followerCount":1`, `"content":"Good morning!"`, `"pageInfo"`} {
				if !strings.Contains(got, want) {
					t.Errorf("pasted %d times: %s is missing in\n%s", i+1, want, got)
				}
			}
			feed := got[strings.LastIndex(got, `{"data":{"feed"`):]
			if posts := strings.Count(feed, "Good morning!"); posts != i+1 {
				t.Errorf("pasted %d times: the feed has %d of Alice's posts:\n%s", i+1, posts, feed)
			}
			if errors := strings.Count(got, `"errors"`); errors > 0 {
				t.Errorf("pasted %d times: got %d errors, want none\n%s", i+1, errors, got)
			}
		}
		var watched apitest.Output
		second := terminal(t, s, &watched, functions, strings.ReplaceAll(session, "Good morning!", "Once more!"), watch)
		if err := second.Start(); err != nil {
			t.Fatal(err)
		}
		apitest.Eventually(t, "the watch is on", func() bool {
			_, body, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
			return err == nil && strings.Contains(body, "chirp_feed_subscriptions 1\n")
		})
		if got := paste(t, s, third); !strings.Contains(got, `"content":"And good evening!"`) {
			t.Errorf("the third terminal: got %s, want the post", got)
		}
		apitest.Eventually(t, "the second terminal shows it", func() bool { return strings.Contains(watched.String(), "And good evening!") })
		_ = syscall.Kill(-second.Process.Pid, syscall.SIGKILL) // fails only when it is gone
		_ = second.Wait()
	})
}

func TestTheREADMEsMongoDBCanBePasted(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(readmeBlocks(t, "On MongoDB")[0]), "\n")
	want := []string{"mkdir ", "mongod ", "mongosh ", "CHIRP_MONGODB_URI="}
	if !slices.EqualFunc(lines, want, strings.HasPrefix) {
		t.Fatalf("got the lines %q, want ones that begin with %q", lines, want)
	}
	dir, port := t.TempDir(), freePort(t)
	shell := exec.CommandContext(t.Context(), "bash", "-ec", lines[0]+"\n"+strings.Replace(lines[1], "mongod ", mongotest.Binary(t)+" --port "+port+" ", 1))
	shell.Dir = dir
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if pid, err := strconv.Atoi(strings.TrimSpace(content(t, filepath.Join(dir, "db", "mongod.lock")))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails only when it is gone
		}
	})
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://localhost:" + port + "/?directConnection=true"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	// What rs.initiate() sends.
	if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "replSetInitiate", Value: bson.D{}}}).Err(); err != nil {
		t.Fatal(err)
	}
	uri, _, _ := strings.Cut(strings.TrimPrefix(lines[3], "CHIRP_MONGODB_URI='"), "'")
	s := apitest.Start(t, apitest.Place{Args: []string{"--mongodb-uri", strings.Replace(uri, "localhost/", "localhost:"+port+"/", 1)}})
	apitest.RegisterAll(t, s.URL, "Ann")
}

// freePort returns a TCP port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
