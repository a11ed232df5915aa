package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// TestRebuildBesideAServerUnderLoad runs the rebuild program twice, with other
// thresholds, beside a server process that clients send mutations to, and holds
// the feeds and the live feed to what was acknowledged.
func TestRebuildBesideAServerUnderLoad(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		url, start := newVictim(t, p)
		server := start()
		ready(t, url())
		users := registerAll(t, url(), "ann", "bob", "cid", "dot", "eve", "viewer")
		viewer := users[len(users)-1]
		followAndPost(t, viewer.at(url()), users[:3], url())
		l := &load{users: users, url: url}
		watch := startWatch(t, viewer, url)
		l.run(t, 4, rand.Uint64(), func() {
			for i, threshold := range []string{"2", "100"} {
				enough := l.acknowledged() + 50
				eventually(t, "the load goes on", func() bool { return l.acknowledged() >= enough || t.Failed() })
				out := rebuildBeside(t, p, threshold)
				if want := regexp.MustCompile(`Generation (\d+) of the views serves: \d+ events in .* celebrities from ` + threshold + ` followers`).FindStringSubmatch(out); want == nil || want[1] != []string{"2", "3"}[i] {
					t.Errorf("rebuild said %q", out)
				}
				wantServing(t, p, i+2, threshold)
			}
		})
		eventually(t, "the server's projector goes on with the new views", func() bool {
			return strings.Contains(server.log.String(), "goes on with another generation") && strings.Contains(server.log.String(), "generation=3")
		})
		post := must(users[0].at(url()).post(t.Context(), "after the rebuilds", ""))(t)
		reader := viewer.at(url())
		reader.readAfter = post.Position
		if _, err := reader.page(t.Context(), 1, ""); err != nil {
			t.Errorf("a feed after position %s: %v", post.Position, err)
		}
		events := p.events(t)
		feeds := checkFeeds(t, url(), users, events)
		watch.check(t, feeds[viewer.ID])
		server.terminate(t)
	})
}

// rebuildBeside runs the rebuild program and gives what it printed.
func rebuildBeside(t testing.TB, p place, threshold string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], slices.Concat([]string{"rebuild", "--celebrity-threshold", threshold}, p.args)...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("rebuild: %v\n%s", err, stderr.String())
	}
	return string(out)
}

func wantServing(t testing.TB, p place, number int, threshold string) {
	t.Helper()
	store := must(p.open(t.Context()))(t)
	defer store.Close()
	s := must(store.Views().Snapshot(t.Context()))(t)
	defer s.Close()
	if g := s.Generation(); g.Number != number || strconv.FormatInt(g.Threshold, 10) != threshold {
		t.Errorf("%+v serves, want generation %d with threshold %s", g, number, threshold)
	}
}

func TestRebuildThatIsInterruptedIsTakenUp(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		users := registerAll(t, s.url, "Ann", "Bob")
		postAll(t, users[0].at(s.url), "one", "two", "three")
		cfg := must(parseConfig(slices.Concat([]string{"rebuild"}, p.args), io.Discard))(t)
		quiet := slog.New(slog.DiscardHandler)
		bar := &rebuildBar{line: &progressLine{out: io.Discard}}

		stopped, stop := context.WithCancel(t.Context())
		store := must(openOnce(stopped, cfg, quiet))(t)
		err := projector.Rebuild(stopped, projector.Config{Log: store.Log(), Views: dyingViews{store.Views(), stop}, Threshold: cfg.CelebrityThreshold, MaxEvents: 2}, projector.RebuildConfig{})
		if err == nil {
			t.Fatal("the rebuild came to its end, too soon for the test")
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		interrupting := &rebuildBar{line: &progressLine{out: writerFunc(func() { interrupt() }), terminal: true}}
		err = rebuildViews(ctx, cfg, io.Discard, interrupting, quiet)
		if !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), "interrupted at event 2 of 7") {
			t.Errorf("a rebuild that was interrupted gave %v, want that it can be taken up at event 2 of 7", err)
		}
		var out strings.Builder
		if err := rebuildViews(t.Context(), cfg, &out, bar, quiet); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		if text := out.String(); !strings.Contains(text, "Generation 2 of the views serves: 5 events") || !strings.Contains(text, "taken up at event 2") {
			t.Errorf("rebuild said %q, want that it took up the generation at event 2 of 7", text)
		}
	})
}

// writerFunc is called for what is written.
type writerFunc func()

// Write implements io.Writer.
func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// dyingViews end the process after the first batch of a builder.
type dyingViews struct {
	readmodel.Store
	stop context.CancelFunc
}

func (v dyingViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.(readmodel.Generations).Build(ctx, epoch, threshold)
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
		"a folder that is not there":  {[]string{"--data", filepath.Join(dir, "none")}, "does not exist"},
		"a folder without a store":    {[]string{"--data", dir}, "holds no log"},
		"a file in place of a folder": {[]string{"--data", os.Args[0]}, "is a file"},
		"a threshold that cannot be":  {[]string{"--data", dir, "--celebrity-threshold", "0"}, "less than 1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parseConfig(slices.Concat([]string{"rebuild"}, c.args), io.Discard)
			if err == nil {
				err = rebuildViews(t.Context(), cfg, io.Discard, &rebuildBar{line: &progressLine{out: io.Discard}}, slog.New(slog.DiscardHandler))
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("rebuild gave %v, want an error that says %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("rebuild made the folder: %v", err)
	}
}

func TestRebuildBarShowsHowFarItIs(t *testing.T) {
	at := projector.Progress{Generation: 2, Position: 500, Head: 1000, Rate: 250, Left: 2 * time.Second}
	var drawn, plain strings.Builder
	bar := &rebuildBar{line: &progressLine{out: &drawn, terminal: true}}
	bar.show(at)
	bar.clear()
	if want := "\r\x1b[K[###############---------------] 500 of 1000 events, 250/s, 2s left\r\x1b[K"; drawn.String() != want {
		t.Errorf("on a terminal: got %q, want %q", drawn.String(), want)
	}
	bar = &rebuildBar{line: &progressLine{out: &plain}}
	bar.show(at)
	bar.show(at) // too soon for another line
	bar.clear()
	if want := "500 of 1000 events, 250/s, 2s left\n"; plain.String() != want {
		t.Errorf("elsewhere: got %q, want %q", plain.String(), want)
	}
}
