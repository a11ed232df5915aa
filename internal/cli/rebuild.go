package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"chirp/internal/projector"
)

// Rebuild rebuilds the views from the log, and then lets them serve. A server
// may be running.
func Rebuild(ctx context.Context, cfg Config, std Streams) error {
	return rebuild(ctx, cfg, std.Out, newProgressBar(std.Err), cfg.logger(std.Err))
}

func rebuild(ctx context.Context, cfg Config, out io.Writer, bar *progressBar, log *slog.Logger) (err error) {
	store, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	settings := projector.Config{Log: store.Log(), Views: store.Views(), Threshold: cfg.CelebrityThreshold, Logger: log}
	var last projector.Progress
	began := time.Now()
	err = projector.Rebuild(ctx, settings.Building(), projector.RebuildConfig{Progress: func(p projector.Progress) {
		last = p
		step := "events"
		if p.Finishing {
			step = "events, building the indexes"
		}
		bar.show(step, int64(p.Position), int64(p.Head))
	}})
	bar.clear()
	switch {
	case last.Done: // it serves, whatever happened since
	case ctx.Err() != nil:
		return fmt.Errorf("%w at event %d of %d; the old views keep serving, and `chirp rebuild` with the same --celebrity-threshold continues from there",
			ErrInterrupted, last.Position, last.Head)
	case err != nil:
		return fmt.Errorf("rebuild: %w", err)
	}
	took := time.Since(began)
	applied := last.Position - last.From
	fmt.Fprintf(out, "Generation %d of the views serves: %d events in %.1f s, %.0f/s, with celebrities from %d followers.\n",
		last.Generation, applied, took.Seconds(), float64(applied)/took.Seconds(), cfg.CelebrityThreshold)
	if last.From > 0 {
		fmt.Fprintf(out, "It continued from event %d, where an earlier rebuild stopped.\n", last.From)
	}
	return nil
}
