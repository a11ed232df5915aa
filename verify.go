package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"chirp/internal/readmodel"
	"chirp/internal/verify"
)

// verifyFlags are those of the command verify.
type verifyFlags struct {
	Sample int    `env:"CHIRP_VERIFY_SAMPLE" placeholder:"N" help:"Compare the timelines and lists of N users drawn by chance, not of all (default: all); profiles and the log are checked in full."`
	Seed   uint64 `env:"CHIRP_VERIFY_SEED" placeholder:"N" help:"Draws the sample; the same seed draws the same users again (default: another each time)."`
}

// maxDifferences is how many differences are printed one by one.
const maxDifferences = 1000

// verifyViews compares the views with the log, beside a server that may be
// running. Differences go to out, one a line, and are an error in the end.
func verifyViews(ctx context.Context, cfg config, out io.Writer, progress *progressLine, log *slog.Logger) (err error) {
	store, err := openOnce(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	seed := cfg.Verify.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	began := time.Now()
	sum, err := verify.Run(ctx, verify.Config{
		Log: store.Log(), Views: store.Views(), Problems: func() []string { return append(store.Problems(), store.Notices()...) }, Sample: cfg.Verify.Sample, Seed: seed, MaxReports: maxDifferences,
		Report: func(d verify.Difference) {
			progress.clear()
			fmt.Fprintln(out, d)
		},
		Progress: progress.show,
	})
	progress.clear()
	if errors.Is(err, readmodel.ErrNoViews) {
		return errors.New("verify: the views are not made yet; start the server, which makes them, or run chirp rebuild")
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	printSummary(out, sum, time.Since(began))
	if cfg.Verify.Sample > 0 {
		fmt.Fprintf(out, "The lists are those of %d users, drawn by --seed %d.\n", sum.Lists, seed)
	}
	if sum.Unsound > 0 {
		return fmt.Errorf("verify found differences: %d; %d of them are of the log or the store itself: mend those first, or restore a backup, for views can only be made from a sound log", sum.Differences, sum.Unsound)
	}
	if sum.Differences > 0 {
		return fmt.Errorf("verify found differences: %d; views that differ from a sound log are made anew by chirp rebuild", sum.Differences)
	}
	return nil
}

func printSummary(out io.Writer, sum verify.Summary, took time.Duration) {
	if more := sum.Differences - maxDifferences; more > 0 {
		fmt.Fprintf(out, "and %d more differences\n", more)
	}
	if sum.Partial != "" {
		fmt.Fprintf(out, "Event %s was applied in part when the views were compared; what it explains is no difference.\n", sum.Partial)
	}
	at := sum.Generation.Checkpoint.Position
	fmt.Fprintf(out, "differences: %d; generation %d of the views at position %d, the log up to position %d; %d events, %d users, %d chirps, %d follows, %d timeline entries in %.1f s\n",
		sum.Differences, sum.Generation.Number, at, sum.Head, sum.Events, sum.Users, sum.Chirps, sum.Follows, sum.TimelineEntries, took.Seconds())
}

// progressLine tells how far a long command has come: on a terminal in a line
// that it writes again and again, elsewhere in a new line now and then. A nil
// one says nothing.
type progressLine struct {
	out      io.Writer
	terminal bool
	shown    bool // a line is on the terminal
	step     string
	began    time.Time // the step
	from     int64     // where the step began
	last     time.Time // that something was written
}

func newProgressLine(out *os.File) *progressLine {
	info, err := out.Stat()
	return &progressLine{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

const (
	progressEvery      = 200 * time.Millisecond // on a terminal
	plainProgressEvery = 10 * time.Second
)

// show tells of progress, unless it did so a moment ago.
func (p *progressLine) show(at verify.Progress) {
	if p == nil {
		return
	}
	now := time.Now()
	if at.Step != p.step {
		p.step, p.began, p.from, p.last = at.Step, now, at.Done, now
	}
	every := plainProgressEvery
	if p.terminal {
		every = progressEvery
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	rate := float64(at.Done-p.from) / now.Sub(p.began).Seconds()
	text := fmt.Sprintf("%d of %d %s, %.0f/s", at.Done, at.Total, at.Step, rate)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		p.shown = true
		return
	}
	fmt.Fprintln(p.out, text)
}

// clear takes the line off the terminal.
func (p *progressLine) clear() {
	if p != nil && p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
