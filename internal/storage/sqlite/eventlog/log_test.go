package eventlog_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"os"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/sqlite/eventlog"
)

// openLog opens the log in a folder until the test ends.
func openLog(t testing.TB, dir string) *eventlog.Log {
	t.Helper()
	log, err := eventlog.Open(t.Context(), dir, eventlog.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { closeLog(t, log) })
	return log
}

func closeLog(t testing.TB, log *eventlog.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// wantEvents checks how many events a log has.
func wantEvents(t *testing.T, log eventstore.Log, want int) {
	t.Helper()
	events, err := log.ReadAll(t.Context(), 0, 1_000_000)
	if err != nil || len(events) != want {
		t.Errorf("ReadAll: got %d events, error %v; want %d", len(events), err, want)
	}
}

func TestLogPassesTheSuite(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Log { return openLog(t, t.TempDir()) })
}

// The log is out of reach while its file is away.
func TestLogSurvivesOutages(t *testing.T) {
	eventstoretest.RunOutage(t, func(t testing.TB) eventstoretest.Failing {
		dir := t.TempDir()
		log := openLog(t, dir)
		move := func(from, to string) {
			if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
				t.Error(err)
			}
			_ = log.CheckAll() // what it finds is what reads return
		}
		return eventstoretest.Failing{
			Log:  log,
			Fail: func() { move("log.db", "away.db") },
			Mend: func() { move("away.db", "log.db") },
		}
	})
}

func TestLogIsDurable(t *testing.T) {
	base := t.TempDir()
	eventstoretest.RunDurable(t, func(t testing.TB, instance string) (eventstore.Log, func()) {
		dir := filepath.Join(base, instance)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		log := openLog(t, dir)
		return log, func() { closeLog(t, log) }
	})
}
