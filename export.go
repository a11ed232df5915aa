package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chirp/internal/archive"
	"chirp/internal/domain"
)

// exportFlags are those of the command export.
type exportFlags struct {
	File            string `arg:"" optional:"" help:"File to write, readable by its owner alone; compressed if its name ends in .gz (default: standard output)."`
	WithCredentials bool   `help:"Take the password hashes and the stored token secret along, so that log-ins and tokens go on working. Keep such a file secret."`
}

// exportLog writes the log of the store, as it is now, to the file that the
// config names or to stdout, beside a server that may be running.
func exportLog(ctx context.Context, cfg config, stdout *os.File, bar *transferBar, log *slog.Logger) (err error) {
	if cfg.Export.WithCredentials && cfg.Export.File == "" && isTerminal(stdout) {
		return domain.Errorf(domain.Invalid, "--with-credentials does not write to a terminal: name a file, or redirect the output")
	}
	store, err := openOnce(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	source := archive.Source{Log: store.Log(), Progress: bar.show}
	if cfg.Export.WithCredentials {
		source.Credentials = store.Credentials()
	}
	var header archive.Header
	write := func(out io.Writer) (err error) {
		header, err = archive.Write(ctx, out, source)
		return err
	}
	began := time.Now()
	if cfg.Export.File == "" {
		err = write(stdout)
	} else {
		err = writeExport(cfg.Export.File, write)
	}
	bar.clear()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("export: %w", errInterrupted)
	case err != nil:
		return fmt.Errorf("export: %w", err)
	}
	for _, problem := range append(store.Problems(), store.Notices()...) {
		bar.say("chirp: the export is whole, but the store has a problem: %s", problem)
	}
	bar.say("Exported %s.", describeTransfer(header.Head, time.Since(began)))
	return nil
}

// writeExport writes a file that is whole or not there: it gets its name at the
// end. What is no regular file, such as a pipe, is written to as it is.
func writeExport(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(compressed(name, f, write), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(compressed(name, f, write), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// compressed writes through gzip if the name asks for it. The same content
// gives the same bytes.
func compressed(name string, out io.Writer, write func(io.Writer) error) error {
	if !strings.HasSuffix(name, ".gz") {
		return write(out)
	}
	zip := gzip.NewWriter(out)
	if err := write(zip); err != nil {
		return err
	}
	return zip.Close()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// transferBar shows how far an export or an import has come: on a terminal as a
// bar that it draws again and again, elsewhere in a new line every few seconds.
type transferBar struct {
	line  *progressLine
	began time.Time
	last  time.Time // that something was written
}

func newTransferBar(out *os.File) *transferBar {
	now := time.Now()
	return &transferBar{line: newProgressLine(out), began: now, last: now}
}

func (b *transferBar) show(at, head domain.Position) {
	now := time.Now()
	every := plainBarLine
	if b.line.terminal {
		every = progressEvery
	}
	if now.Sub(b.last) < every || head == 0 {
		return
	}
	b.last = now
	rate := float64(at) / now.Sub(b.began).Seconds()
	left := time.Duration(float64(head-at) / rate * float64(time.Second))
	text := fmt.Sprintf("%d of %d events, %.0f/s, %s left", at, head, rate, left.Round(time.Second))
	if !b.line.terminal {
		fmt.Fprintln(b.line.out, text)
		return
	}
	done := int(barWidth * at / head)
	fmt.Fprintf(b.line.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", done), strings.Repeat("-", barWidth-done), text)
	b.line.shown = true
}

func (b *transferBar) clear() { b.line.clear() }

// say writes a line of its own.
func (b *transferBar) say(format string, args ...any) {
	b.clear()
	fmt.Fprintf(b.line.out, format+"\n", args...)
}

func describeTransfer(events domain.Position, took time.Duration) string {
	return fmt.Sprintf("%d events in %.1f s, %.0f/s", events, took.Seconds(), float64(events)/took.Seconds())
}
