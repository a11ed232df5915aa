package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// errInterrupted says that a signal ended a command before its work was done.
// Its exit code is exitInterrupted, as shells have it for Ctrl-C.
var errInterrupted = errors.New("interrupted")

const exitInterrupted = 130

// rebuildBatch is how many events a rebuild applies at once. Nobody waits for
// the lock of what is being built, and a row or page that many of the events
// change is written once: it is half the work of 1,000 at once.
const rebuildBatch = 8000

// rebuildViews makes the views anew from the log, beside a server that may be
// running, and lets them serve. What came of it goes to out.
func rebuildViews(ctx context.Context, cfg config, out io.Writer, bar *rebuildBar, log *slog.Logger) (err error) {
	store, err := openOnce(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	settings := projector.Config{Log: store.Log(), Views: store.Views(), Threshold: cfg.CelebrityThreshold, Logger: log}
	settings.MaxEvents, settings.MaxDeliveries = rebuildBatch, 100*rebuildBatch
	var last projector.Progress
	began := time.Now()
	err = projector.Rebuild(ctx, settings, projector.RebuildConfig{Progress: func(p projector.Progress) {
		last = p
		bar.show(p)
	}})
	bar.clear()
	switch {
	case last.Done: // whatever came after it
	case ctx.Err() != nil:
		return fmt.Errorf("%w at event %d of %d; the old views go on serving, and `chirp rebuild` with the same --celebrity-threshold takes the new ones up from there",
			errInterrupted, last.Position, last.Head)
	case err != nil:
		return fmt.Errorf("rebuild: %w", err)
	}
	took := time.Since(began)
	applied := last.Position - last.From
	fmt.Fprintf(out, "Generation %d of the views serves: %d events in %.1f s, %.0f/s, with celebrities from %d followers.\n",
		last.Generation, applied, took.Seconds(), float64(applied)/took.Seconds(), cfg.CelebrityThreshold)
	if last.From > 0 {
		fmt.Fprintf(out, "It was taken up at event %d, where an earlier rebuild was stopped.\n", last.From)
	}
	return nil
}

// rebuildBar shows how far a rebuild has come: on a terminal as a bar that it
// draws again and again, elsewhere in a new line every few seconds.
type rebuildBar struct {
	line *progressLine
	last time.Time // that a line was written
}

func newRebuildBar(out *os.File) *rebuildBar {
	return &rebuildBar{line: newProgressLine(out), last: time.Now()}
}

const (
	barWidth     = 30
	plainBarLine = 5 * time.Second
)

func (b *rebuildBar) show(p projector.Progress) {
	text := describeProgress(p)
	if b.line.terminal {
		done := barWidth
		if p.Head > 0 {
			done = int(barWidth * p.Position / p.Head)
		}
		fmt.Fprintf(b.line.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", done), strings.Repeat("-", barWidth-done), text)
		b.line.shown = true
		return
	}
	if now := time.Now(); now.Sub(b.last) >= plainBarLine {
		b.last = now
		fmt.Fprintln(b.line.out, text)
	}
}

func (b *rebuildBar) clear() { b.line.clear() }

// describeProgress says it in words.
func describeProgress(p projector.Progress) string {
	text := fmt.Sprintf("%d of %d events", p.Position, p.Head)
	switch {
	case p.Finishing:
		text += ", making the indexes"
	case p.Rate > 0:
		text += fmt.Sprintf(", %.0f/s, %s left", p.Rate, max(p.Left, time.Second).Round(time.Second))
	}
	return text
}

const (
	// dropEvery is how often a server looks for views that serve no more, and
	// dropAge how long they are kept for those who still read them.
	dropEvery = 15 * time.Second
	dropAge   = 75 * time.Second
)

// dropOldViews removes generations of the views that have ceased to serve.
func (a *application) dropOldViews(ctx context.Context) error {
	generations, ok := a.store.Views().(readmodel.Generations)
	if !ok {
		return nil
	}
	for tick := time.NewTicker(dropEvery); ; {
		dropped, err := generations.DropRetired(ctx, dropAge)
		switch {
		case ctx.Err() != nil:
			tick.Stop()
			return nil
		case err != nil && domain.KindOf(err) != domain.Unavailable:
			a.log.Warn("old views could not be dropped", "error", err)
		case len(dropped) > 0:
			a.log.Info("dropped views that serve no more", "generations", dropped)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
