package apitest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Output collects what a program writes while it runs.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String returns all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Check shows the end of the log if the test failed, and fails it for a data
// race that the log reports.
func (o *Output) Check(t testing.TB) {
	t.Helper()
	text := o.String()
	if strings.Contains(text, "WARNING: DATA RACE") {
		t.Error("the program has a data race")
	}
	if t.Failed() {
		t.Logf("the end of the program's log:\n%s", text[max(0, len(text)-4000):])
	}
}

// Process is the program, run as a process of its own.
type Process struct {
	URL    string // of a server that Launch started
	Ops    string // the URL of its operator's address
	Log    Output // what it writes to standard error
	Cmd    *exec.Cmd
	Ended  chan struct{} // closed once it has ended
	status error         // how it ended, once Ended is closed

	interrupt sync.Once
}

// probeLine is what a server logs once it answers probes, before its store is
// open: its URL, and that of the operator's address.
var probeLine = regexp.MustCompile(`probe=(http://\S+)/readyz(?: ops=(http://\S+)/)?`)

// Spawn starts the program with a command line, and kills it when the test
// ends. The channel receives the URL of a server that listens, and is closed
// when the process ends.
func Spawn(t testing.TB, env []string, args ...string) (p *Process, listening <-chan string) {
	t.Helper()
	return SpawnWith(t, exec.Command(Program(t), args...), env)
}

// SpawnWith is Spawn for a command that names the program itself.
func SpawnWith(t testing.TB, cmd *exec.Cmd, env []string) (p *Process, listening <-chan string) {
	t.Helper()
	p = &Process{Cmd: cmd, Ended: make(chan struct{})}
	p.Cmd.Env = append(os.Environ(), env...)
	DieWithParent(p.Cmd)
	stderr, err := p.Cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	urls := make(chan string, 1)
	go func() {
		defer close(p.Ended)
		defer close(urls)
		for lines := bufio.NewScanner(io.TeeReader(stderr, &p.Log)); lines.Scan(); {
			if m := probeLine.FindStringSubmatch(lines.Text()); m != nil {
				p.Ops = m[2]
				urls <- m[1]
			}
		}
		p.status = p.Cmd.Wait()
	}()
	t.Cleanup(func() { p.Kill(); p.Log.Check(t) })
	return p, urls
}

// Start starts a server on a place and waits until it is ready. A server that
// runs still when the test ends is terminated.
func Start(t testing.TB, p Place, flags ...string) *Process {
	t.Helper()
	s := Launch(t, p, flags...)
	t.Cleanup(func() {
		select {
		case <-s.Ended:
		default:
			s.Terminate(t)
		}
	})
	Ready(t, s.URL)
	return s
}

// Launch starts a server on a place, without rate limits unless the flags set
// some, and waits until it listens.
func Launch(t testing.TB, p Place, flags ...string) *Process {
	t.Helper()
	server, listening := Spawn(t, nil, slices.Concat(p.Args, []string{"--addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--rate-limit", "0"}, flags)...)
	select {
	case url, ok := <-listening:
		if !ok {
			t.Fatalf("the server ended at once: %v\n%s", server.Exit(t), server.Log.String())
		}
		server.URL = url
	case <-time.After(Patience):
		t.Fatal("the server does not listen")
	}
	return server
}

// Kill kills the process and waits until it has ended.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // fails only when it is gone
	<-p.Ended
}

// Interrupt sends a server SIGTERM, once, because a second one would end it at
// once.
func (p *Process) Interrupt(t testing.TB) {
	t.Helper()
	p.interrupt.Do(func() {
		if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	})
}

// Terminate stops a server with SIGTERM, and checks that it ends without an
// error.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	p.Interrupt(t)
	if code := p.Exit(t); code != 0 {
		t.Errorf("the server ended with exit code %d after SIGTERM, want 0", code)
	}
}

// Exit waits until the process ends and returns its exit code.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		t.Fatal("the server process does not end")
	}
	var failed *exec.ExitError
	if p.status != nil && !errors.As(p.status, &failed) {
		t.Fatal(p.status)
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Result is how a command ended.
type Result struct {
	Out, Log string // what it wrote to standard output and standard error
	Code     int
	Memory   int64 // its peak resident set size, in bytes; 0 if unknown
}

// Execute runs the program with a command line to its end.
func Execute(t testing.TB, args ...string) Result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t), args...)
	DieWithParent(cmd)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	r := Result{Out: out.String(), Log: log.String(), Code: cmd.ProcessState.ExitCode()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.Memory = usage.Maxrss << 10
	}
	return r
}
