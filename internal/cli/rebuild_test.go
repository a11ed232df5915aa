package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

func TestInterruptedRebuildContinues(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.ServeApp(t, p.OpenToServe, nil)
		apitest.Ready(t, s.URL)
		users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		apitest.PostAll(t, users[0].At(s.URL), "one", "two", "three")
		cfg := apitest.Must(Parse(slices.Concat([]string{"rebuild"}, p.Args), io.Discard))(t)
		quiet := slog.New(slog.DiscardHandler)
		bar := newProgressBar(io.Discard)

		stopped, stop := context.WithCancel(t.Context())
		store := apitest.Must(openStore(stopped, cfg, quiet))(t)
		err := projector.Rebuild(stopped, projector.Config{Log: store.Log(), Views: dyingViews{store.Views(), stop}, Threshold: cfg.CelebrityThreshold, MaxEvents: 2}, projector.RebuildConfig{})
		if err == nil {
			t.Fatal("the rebuild came to its end, too soon for the test")
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		interrupting := &progressBar{out: writerFunc(func() { interrupt() }), terminal: true}
		err = rebuild(ctx, cfg, io.Discard, interrupting, quiet)
		if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "interrupted at event 2 of 7") {
			t.Errorf("rebuild, interrupted: got %v, want ErrInterrupted at event 2 of 7", err)
		}
		var out strings.Builder
		if err := rebuild(t.Context(), cfg, &out, bar, quiet); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		if text := out.String(); !strings.Contains(text, "Generation 2 of the views serves: 5 events") || !strings.Contains(text, "continued from event 2") {
			t.Errorf("rebuild said %q, want that it continued from event 2 of 7", text)
		}
	})
}

// writerFunc is a writer that calls itself for each write.
type writerFunc func()

// Write implements io.Writer.
func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// dyingViews call stop after the first batch of a builder.
type dyingViews struct {
	readmodel.Store
	stop context.CancelFunc
}

func (v dyingViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	return dyingBuilder{b, v.stop}, err
}

func (v dyingViews) DropRetired(context.Context, time.Duration) ([]int, error) { return nil, nil }

type dyingBuilder struct {
	readmodel.Builder
	stop context.CancelFunc
}

func (b dyingBuilder) Apply(ctx context.Context, batch readmodel.Batch) error {
	defer b.stop()
	return b.Builder.Apply(ctx, batch)
}

func TestRebuildSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a folder that is not there": {[]string{"--data", filepath.Join(dir, "none")}, "does not exist"},
		"a folder without a store":   {[]string{"--data", dir}, "holds no log"},
		"a file instead of a folder": {[]string{"--data", os.Args[0]}, "is a file"},
		"a threshold that cannot be": {[]string{"--data", dir, "--celebrity-threshold", "0"}, "less than 1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse(slices.Concat([]string{"rebuild"}, c.args), io.Discard)
			if err == nil {
				err = rebuild(t.Context(), cfg, io.Discard, newProgressBar(io.Discard), slog.New(slog.DiscardHandler))
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("rebuild: got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("rebuild made the folder: %v", err)
	}
}
