package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// Verify compares the views with the log. It prints each difference, and returns
// an error if there was any. A server may be running.
func Verify(ctx context.Context, cfg Config, std Streams) (err error) {
	out, bar := std.Out, newProgressBar(std.Err)
	store, err := openStore(ctx, cfg, cfg.logger(std.Err))
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
			bar.clear()
			fmt.Fprintln(out, d)
		},
		Progress: func(p verify.Progress) { bar.show(p.Step, p.Done, p.Total) },
	})
	bar.clear()
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
