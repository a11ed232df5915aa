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

// verifyFlags are the flags of the verify command.
type verifyFlags struct {
	Sample int    `env:"CHIRP_VERIFY_SAMPLE" placeholder:"N" help:"Compare the timelines and lists of N randomly chosen users, not of all (default: all). Profiles and the log are always checked in full."`
	Seed   uint64 `env:"CHIRP_VERIFY_SEED" placeholder:"N" help:"Seed of the sample: the same seed chooses the same users again (default: a random one)."`
}

// maxDifferences is how many differences are printed; the rest is counted.
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
		Log: store.Log(), Views: store.Views(), Sample: cfg.Verify.Sample, Seed: seed, MaxReports: maxDifferences,
		Problems: func() []string { return append(store.Problems(), store.Notices()...) },
		Report: func(d verify.Difference) {
			bar.clear()
			fmt.Fprintln(out, d)
		},
		Progress: func(p verify.Progress) { bar.show(p.Step, p.Done, p.Total) },
	})
	bar.clear()
	if errors.Is(err, readmodel.ErrNoViews) {
		return errors.New("verify: there are no views yet; start the server, which builds them, or run chirp rebuild")
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	printSummary(out, sum, time.Since(began))
	if cfg.Verify.Sample > 0 {
		fmt.Fprintf(out, "The lists are those of %d users, chosen by --seed %d.\n", sum.Lists, seed)
	}
	if sum.Unsound > 0 {
		return fmt.Errorf("verify found differences: %d; %d of them are in the log or the store itself: repair those first, or restore a backup, because views can only be rebuilt from a sound log", sum.Differences, sum.Unsound)
	}
	if sum.Differences > 0 {
		return fmt.Errorf("verify found differences: %d; chirp rebuild rebuilds views that differ from a sound log", sum.Differences)
	}
	return nil
}

func printSummary(out io.Writer, sum verify.Summary, took time.Duration) {
	if more := sum.Differences - maxDifferences; more > 0 {
		fmt.Fprintf(out, "and %d more differences\n", more)
	}
	if sum.Partial != "" {
		fmt.Fprintf(out, "Event %s was partly applied when the views were compared; what that explains does not count as a difference.\n", sum.Partial)
	}
	at := sum.Generation.Checkpoint.Position
	fmt.Fprintf(out, "differences: %d; generation %d of the views at position %d, the log up to position %d; %d events, %d users, %d chirps, %d follows, %d timeline entries in %.1f s\n",
		sum.Differences, sum.Generation.Number, at, sum.Head, sum.Events, sum.Users, sum.Chirps, sum.Follows, sum.TimelineEntries, took.Seconds())
}
