package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/sqlite"
)

// asServer names the variable that makes the test binary the server program
// itself, with the command line that it is given.
const asServer = "CHIRP_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		go func() { // a server does not outlive the test process that holds the other end
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		main()
		os.Exit(0)
	}
	os.Exit(mongotest.Main(m))
}

// patience bounds every wait, so that a test that hangs says where.
const patience = 60 * time.Second

// place is a store's data, and the flags that name it.
type place struct {
	args []string
	open func(ctx context.Context) (storage, error) // beside a server that runs
}

func onBothStores(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, embedded(t.TempDir())) })
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		test(t, onMongoDB(mongotest.URI(t), mongotest.Database(t)))
	})
}

func embedded(dir string) place {
	return place{[]string{"--data", dir}, func(ctx context.Context) (storage, error) {
		return sqlite.Open(ctx, dir, sqlite.Options{ReadOnly: true})
	}}
}

func onMongoDB(uri, database string) place {
	return place{[]string{"--mongodb-uri", uri, "--mongodb-database", database}, func(ctx context.Context) (storage, error) {
		return mongodb.Open(ctx, uri, database, mongodb.Options{})
	}}
}

// eventLog opens the log of a place for as long as the test runs.
func (p place) eventLog(t testing.TB) eventstore.Log {
	t.Helper()
	store, err := p.open(t.Context())
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() { store.Close() })
	return store.Log()
}

// events reads the whole log of a place.
func (p place) events(t testing.TB) []eventstore.Event {
	t.Helper()
	log := p.eventLog(t)
	var events []eventstore.Event
	for {
		more, err := log.ReadAll(t.Context(), domain.Position(len(events)), 1000)
		if err != nil {
			t.Fatalf("ReadAll after %d: %v", len(events), err)
		}
		if len(more) == 0 {
			return events
		}
		for _, e := range more {
			if e.Position != domain.Position(len(events))+1 {
				t.Fatalf("ReadAll: got position %d in place %d", e.Position, len(events)+1)
			}
			events = append(events, e)
		}
	}
}

// output is what a server writes, for its end to be shown when a test fails.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String gives all that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) showIfFailed(t testing.TB) {
	if text := o.String(); t.Failed() {
		t.Logf("the end of the server's log:\n%s", text[max(0, len(text)-4000):])
	}
}

// server is a server that runs within the test process.
type server struct {
	url  string
	log  output
	end  context.CancelFunc
	done chan struct{}
	err  error // of run, once done is closed
}

// start runs a server on a place until the test ends or stop is called, and
// waits until it is ready.
func start(t testing.TB, p place, more ...string) *server {
	t.Helper()
	s := begin(t, p, more...)
	ready(t, s.url)
	return s
}

// begin is start without the wait.
func begin(t testing.TB, p place, more ...string) *server {
	t.Helper()
	cfg, err := parseConfig(slices.Concat(p.args, []string{"--addr", "127.0.0.1:0", "--rate-limit", "0"}, more), io.Discard)
	if err != nil {
		t.Fatalf("parseConfig: %v", err)
	}
	listening := make(chan net.Addr, 1)
	cfg.listening = func(a net.Addr) { listening <- a }
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{end: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = run(ctx, cfg, slog.New(slog.NewTextHandler(&s.log, nil)))
	}()
	t.Cleanup(func() { s.stop(t); s.log.showIfFailed(t) })
	select {
	case addr := <-listening:
		s.url = "http://" + addr.String()
	case <-s.done:
		t.Fatalf("run: %v", s.err)
	}
	return s
}

// stop ends the server gracefully, and checks that it took it so.
func (s *server) stop(t testing.TB) {
	t.Helper()
	s.end()
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatal("run does not return after its context was cancelled")
	}
	if s.err != nil {
		t.Errorf("run: got error %v after a graceful stop, want none", s.err)
	}
}

// process is a server that runs as a process of its own.
type process struct {
	url    string
	log    output
	cmd    *exec.Cmd
	stdin  io.Closer
	ended  chan struct{}
	status error // how it ended, once ended is closed
}

// probeLine is what a server says once it answers probes, before the store is
// open.
var probeLine = regexp.MustCompile(`probe=(http://\S+)/readyz`)

// spawn starts the server program with a command line.
func spawn(t testing.TB, env []string, args ...string) (p *process, listening <-chan string) {
	t.Helper()
	return spawnWith(t, exec.Command(os.Args[0], args...), env)
}

// spawnWith starts the server program with a command that names it.
func spawnWith(t testing.TB, cmd *exec.Cmd, env []string) (p *process, listening <-chan string) {
	t.Helper()
	p = &process{cmd: cmd, ended: make(chan struct{})}
	p.cmd.Env = slices.Concat(os.Environ(), []string{asServer + "=1"}, env)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	urls := make(chan string, 1)
	go func() {
		defer close(p.ended)
		defer close(urls)
		for lines := bufio.NewScanner(io.TeeReader(stderr, &p.log)); lines.Scan(); {
			if m := probeLine.FindStringSubmatch(lines.Text()); m != nil {
				urls <- m[1]
			}
		}
		p.status = p.cmd.Wait()
	}()
	return p, urls
}

// launch starts a server process on a place and waits until it listens.
func launch(t testing.TB, p place, more ...string) *process {
	t.Helper()
	server, listening := spawn(t, nil, slices.Concat(p.args, []string{"--addr", "127.0.0.1:0", "--rate-limit", "0"}, more)...)
	t.Cleanup(func() { server.kill(); server.log.showIfFailed(t) })
	select {
	case url, ok := <-listening:
		if !ok {
			t.Fatalf("the server ended at once: %v\n%s", server.exit(t), server.log.String())
		}
		server.url = url
	case <-time.After(patience):
		t.Fatal("the server does not listen")
	}
	return server
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it is gone
	<-p.ended
	p.stdin.Close()
}

// terminate stops the process gracefully, and checks that it took it so.
func (p *process) terminate(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("the server ended with exit code %d after SIGTERM, want 0", code)
	}
}

// exit waits for the end of the process and gives its exit code.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the server process does not end")
	}
	var failed *exec.ExitError
	if p.status != nil && !errors.As(p.status, &failed) {
		t.Fatal(p.status)
	}
	return p.cmd.ProcessState.ExitCode()
}

// ready waits until a server says that it is ready.
func ready(t testing.TB, url string) {
	t.Helper()
	awaitProbe(t, url, http.StatusOK, "ready")
}

// awaitProbe waits until /readyz answers with a status and a text.
func awaitProbe(t testing.TB, url string, status int, text string) {
	t.Helper()
	eventually(t, "/readyz answers "+text, func() bool {
		got, body, err := probe(t.Context(), url+"/readyz")
		return err == nil && got == status && strings.Contains(body, text)
	})
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", patience, what)
		}
	}
}

func probe(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
