package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// build is a program to measure.
type build struct{ label, path string }

// server is a build that serves, with default settings, as a process of its own.
type server struct {
	url     string
	metrics string // the URL of its metrics
	cmd     *exec.Cmd
	log     apitest.Output
	ended   chan struct{}
}

// startPatience bounds how long a server may take to listen, to be ready and to
// stop, unless it has views to build.
const startPatience = time.Minute

// start starts a server on a place, given by flags, and waits until it is ready.
// It may open at most files descriptors, unless files is 0.
func (b build) start(ctx context.Context, place []string, files int, patience time.Duration) (*server, error) {
	args := append([]string{b.path, "--addr", "127.0.0.1:0"}, place...)
	s := &server{ended: make(chan struct{})}
	if files == 0 {
		s.cmd = exec.Command(args[0], args[1:]...)
	} else {
		s.cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files)}, args...)...)
	}
	apitest.DieWithParent(s.cmd)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go s.follow(stderr, listening)
	select {
	case s.url = <-listening:
		if err := s.awaitReady(ctx, patience); err != nil {
			return nil, errors.Join(err, s.stop())
		}
		return s, nil
	case <-s.ended:
	case <-time.After(startPatience):
	}
	return nil, errors.Join(fmt.Errorf("%s does not serve:\n%s", b.label, s.log.String()), s.stop())
}

// probeLine is what a server logs once it answers probes. The operator's address
// has the metrics, if there is one.
var (
	probeLine = regexp.MustCompile(`probe=(http://\S+)/readyz`)
	opsLine   = regexp.MustCompile(`ops=(http://[^\s/]+)`)
)

// follow reads the server's log until it ends.
func (s *server) follow(stderr io.Reader, listening chan<- string) {
	defer close(s.ended)
	for lines := bufio.NewScanner(io.TeeReader(stderr, &s.log)); lines.Scan(); {
		m := probeLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		s.metrics = m[1] + "/metrics"
		if ops := opsLine.FindStringSubmatch(lines.Text()); ops != nil {
			s.metrics = ops[1] + "/metrics"
		}
		listening <- m[1]
	}
	_ = s.cmd.Wait() // how it ended is in its log
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the server, by force if it does not end by itself.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-s.ended:
		return nil
	case <-time.After(startPatience):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return errors.New("the server did not end after SIGTERM")
	}
}

// errNotLevel means that the views do not reach the end of the log in time.
var errNotLevel = errors.New("the views do not reach the end of the log")

// awaitReady waits until the server is ready, or ends. What an earlier attack has
// left to do may take too long.
func (s *server) awaitReady(ctx context.Context, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for tries := 1; time.Now().Before(deadline); tries++ {
		resp, err := http.Get(s.url + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended:\n%s", s.log.String())
		default:
		}
		if !outage.Pause(ctx, outage.Delay(10*time.Millisecond, tries)) {
			return ctx.Err()
		}
	}
	return errNotLevel
}

// awaitLevel waits until the views have reached the end of the log.
func (s *server) awaitLevel(ctx context.Context, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		if lag, err := s.lag(ctx); err != nil || lag == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errNotLevel
		}
		if !outage.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// lag returns how many events the views are behind the log.
func (s *server) lag(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	_, value, found := strings.Cut(string(text), "\nchirp_views_lag_events ")
	if !found {
		return 0, fmt.Errorf("%s has no lag: %s", s.metrics, resp.Status)
	}
	value, _, _ = strings.Cut(value, "\n")
	lag, err := strconv.ParseFloat(value, 64)
	return int64(lag), err
}
