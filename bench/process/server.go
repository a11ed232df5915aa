// Package process starts the programs that are measured, each as a process of its own,
// and reads what they use.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// Server is a program that serves.
type Server struct {
	URL string // of its API, without a path
	Ops string // of the operator's address, "" if there is none
	Log apitest.Output

	cmd   *exec.Cmd
	ended chan struct{}
}

// Patience bounds how long a server may take to listen, to be ready and to stop,
// unless it has views to build.
const Patience = time.Minute

// Start runs a command and waits until it logs the URL at which it serves.
func Start(cmd *exec.Cmd) (*Server, error) {
	s := &Server{cmd: cmd, ended: make(chan struct{})}
	apitest.DieWithParent(cmd)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started, listening := make(chan error, 1), make(chan struct{})
	go s.run(stderr, started, listening)
	if err := <-started; err != nil {
		return nil, err
	}
	select {
	case <-listening:
		return s, nil
	case <-s.ended:
	case <-time.After(Patience):
	}
	return nil, errors.Join(fmt.Errorf("%s does not serve:\n%s", cmd.Path, s.Log.String()), s.Stop())
}

// run keeps its thread for as long as the process lives, because the kernel kills
// the process when the thread that started it ends.
func (s *Server) run(stderr io.Reader, started chan<- error, listening chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		s.follow(stderr, listening)
		_ = s.cmd.Wait() // how it ended is in its log
	}
}

// urlLine is what a server logs once it listens: Chirp, the URL of its probe. The
// operator's address has the metrics, if there is one.
var (
	urlLine = regexp.MustCompile(`\b(?:probe|url)=(http://[^\s/]+)`)
	opsLine = regexp.MustCompile(`\bops=(http://[^\s/]+)`)
)

// follow reads the server's log until it ends.
func (s *Server) follow(stderr io.Reader, listening chan<- struct{}) {
	for lines := bufio.NewScanner(io.TeeReader(stderr, &s.Log)); lines.Scan(); {
		m := urlLine.FindStringSubmatch(lines.Text())
		if m == nil || listening == nil {
			continue
		}
		s.URL = m[1]
		if ops := opsLine.FindStringSubmatch(lines.Text()); ops != nil {
			s.Ops = ops[1]
		}
		close(listening)
		listening = nil
	}
}

// PID returns the process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends the server, by force if it does not end by itself.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-s.ended:
		return nil
	case <-time.After(Patience):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return errors.New("the server did not end after SIGTERM")
	}
}

// ErrNotLevel means that the views do not reach the end of the log in time.
var ErrNotLevel = errors.New("the views do not reach the end of the log")

// AwaitReady waits until the server is ready, or ends. Views that are far behind may
// take too long; then the error is ErrNotLevel.
func (s *Server) AwaitReady(ctx context.Context, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for tries := 1; time.Now().Before(deadline); tries++ {
		if ready(ctx, s.URL) {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended:\n%s", s.Log.String())
		default:
		}
		if !outage.Pause(ctx, min(outage.Delay(10*time.Millisecond, tries), 100*time.Millisecond)) {
			return ctx.Err()
		}
	}
	return ErrNotLevel
}

func ready(ctx context.Context, url string) bool {
	status, _, err := get(ctx, url+"/readyz")
	return err == nil && status == http.StatusOK
}

// AwaitLevel waits until the views have reached the end of the log.
func (s *Server) AwaitLevel(ctx context.Context, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		if lag, err := s.Lag(ctx); err != nil || lag == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return ErrNotLevel
		}
		if !outage.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Lag returns how many events the views are behind the log.
func (s *Server) Lag(ctx context.Context) (int64, error) {
	lag, err := s.Metric(ctx, "chirp_views_lag_events")
	return int64(lag), err
}

// Metric returns the value of a metric without labels.
func (s *Server) Metric(ctx context.Context, name string) (float64, error) {
	url := s.URL
	if s.Ops != "" {
		url = s.Ops
	}
	status, text, err := get(ctx, url+"/metrics")
	if err != nil {
		return 0, err
	}
	_, value, found := strings.Cut(text, "\n"+name+" ")
	if !found {
		return 0, fmt.Errorf("%s/metrics, with status %d, has no %s", url, status, name)
	}
	value, _, _ = strings.Cut(value, "\n")
	return strconv.ParseFloat(value, 64)
}

// Collect makes a Chirp server collect its garbage.
func (s *Server) Collect(ctx context.Context) error {
	status, _, err := get(ctx, s.Ops+"/debug/pprof/heap?gc=1")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s/debug/pprof/heap: status %d", s.Ops, status)
	}
	return err
}

func get(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
