package eventlog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/eventlog"
)

// childFolder names the variable that makes the test binary append to the log
// in a folder until it is killed.
const childFolder = "CHIRP_TEST_APPEND_TO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		fmt.Fprintln(os.Stderr, appendForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForEver appends from many goroutines and writes each position on a
// line once it is acknowledged.
func appendForEver(dir string) error {
	log, err := eventlog.Open(context.Background(), dir, eventlog.Options{Log: slog.Default()})
	if err != nil {
		return err
	}
	var g errgroup.Group
	var mu sync.Mutex
	for worker := range 16 {
		g.Go(func() error {
			for i := 0; ; i++ {
				commit, err := log.Append(context.Background(), numbered(fmt.Sprintf("%d:%d:%d", os.Getpid(), worker, i), 0))
				if err != nil {
					return err
				}
				mu.Lock()
				_, err = fmt.Println(commit.Position(), commit.Events[0].Stream)
				mu.Unlock()
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// numbered makes an append of one event under a name of its own.
func numbered(name string, expected int64) eventstore.Append {
	return eventstore.Append{
		Events:   []eventstore.NewEvent{{Stream: domain.StreamID(name), Type: "thing.happened.v1", Data: []byte(`{}`)}},
		Expected: eventstore.Versions{domain.StreamID(name): expected},
		Command:  eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "actor", ID: fmt.Sprint(name, "@", expected)}, Fingerprint: "fingerprint"},
	}
}

func TestAcknowledgedAppendsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[domain.Position]domain.StreamID{}
	for range 3 {
		appendUntilKilled(t, dir, len(acknowledged)+400, acknowledged)
	}
	log := openLog(t, dir)
	events, err := log.ReadAll(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatalf("ReadAll: %v", err)
	}
	for i, e := range events {
		if e.Position != domain.Position(i)+1 {
			t.Fatalf("ReadAll: got position %d in place %d", e.Position, i+1)
		}
		if want, ok := acknowledged[e.Position]; ok && want != e.Stream {
			t.Errorf("position %d: got stream %s, want %s as acknowledged", e.Position, e.Stream, want)
		}
		delete(acknowledged, e.Position)
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged appends are lost: %v", len(acknowledged), acknowledged)
	}
}

// appendUntilKilled runs this test binary as the only writer of a folder, and
// kills it in the middle of its work.
func appendUntilKilled(t *testing.T, dir string, enough int, acknowledged map[domain.Position]domain.StreamID) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var position domain.Position
		var stream domain.StreamID
		if _, err := fmt.Sscan(lines.Text(), &position, &stream); err != nil {
			continue // the kill cut the line off
		}
		if acknowledged[position] = stream; len(acknowledged) == enough {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var killed *exec.ExitError
	if err := child.Wait(); !errors.As(err, &killed) || len(acknowledged) < enough {
		t.Fatalf("the child ended with %v after %d acknowledged appends", err, len(acknowledged))
	}
}

// Two logs on one folder share no memory, as two processes don't.
func TestTwoProcessesShareOneLog(t *testing.T) {
	dir := t.TempDir()
	logs := []eventstore.Log{openLog(t, dir), openLog(t, dir)}
	const each = 40
	g, ctx := errgroup.WithContext(t.Context())
	for i, log := range logs {
		g.Go(func() error {
			for n := range each {
				if _, err := log.Append(ctx, numbered(fmt.Sprint(i, ":", n), 0)); err != nil {
					return err
				}
			}
			return nil
		})
		g.Go(func() error {
			at := domain.Position(0)
			for batch, err := range log.Follow(ctx, 0) {
				if err != nil {
					return err
				}
				for _, e := range batch {
					if at++; e.Position != at {
						return fmt.Errorf("Follow: got position %d, want %d", e.Position, at)
					}
				}
				if at == 2*each {
					return nil
				}
			}
			return errors.New("Follow ended")
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	_, err := logs[1].Append(t.Context(), numbered("0:0", 5))
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) || conflict.Actual != 1 {
		t.Errorf("Append to the other's stream: got error %v, want a conflict at version 1", err)
	}
	if again, err := logs[1].Append(t.Context(), numbered("0:0", 0)); err != nil || !again.Repeated {
		t.Errorf("Append of the other's command: got Repeated %t, error %v", again.Repeated, err)
	}
}
