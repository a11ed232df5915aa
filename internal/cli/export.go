package cli

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chirp/internal/archive"
	"chirp/internal/domain"
)

// exportFlags are the flags of the export command.
type exportFlags struct {
	File            string `arg:"" optional:"" help:"File to write, readable by its owner alone; compressed if its name ends in .gz; - is standard output (default: standard output)."`
	WithCredentials bool   `help:"Include the password hashes and the stored token secret, so that log-ins and tokens work in the copy. Keep such a file secret. Each file says who is disabled."`
}

// Export writes the log of the store, as it is now, to the file that the config
// names or to standard output. A server may be running.
func Export(ctx context.Context, cfg Config, std Streams) (err error) {
	toStdout := cfg.Export.File == "" || cfg.Export.File == "-"
	if cfg.Export.WithCredentials && toStdout && isTerminal(std.Out) {
		return domain.Errorf(domain.Invalid, "--with-credentials does not write to a terminal: name a file, or redirect the output")
	}
	bar := newProgressBar(std.Err)
	if cfg.Export.WithCredentials && toStdout && readableByOthers(std.Out) {
		bar.println("chirp: other users can read the file that the output goes to, and it will hold password hashes and the token secret; close it to them with chmod 600")
	}
	store, err := openStore(ctx, cfg, cfg.logger(std.Err))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	source := archive.Source{
		Log: store.Log(), Credentials: store.Credentials(), Secrets: cfg.Export.WithCredentials,
		Progress: func(at, head domain.Position) { bar.show("events", int64(at), int64(head)) },
	}
	var header archive.Header
	write := func(out io.Writer) (err error) {
		header, err = archive.Write(ctx, out, source)
		return err
	}
	began := time.Now()
	if toStdout {
		err = write(std.Out)
	} else {
		err = writeExport(cfg.Export.File, write)
	}
	bar.clear()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("export: %w", ErrInterrupted)
	case err != nil:
		return fmt.Errorf("export: %w", err)
	}
	for _, problem := range append(store.Problems(), store.Notices()...) {
		bar.println("chirp: the export is complete, but the store has a problem: %s", problem)
	}
	if header.AccessLost {
		bar.println("chirp: the file does not say who is disabled, because the store has lost that: everyone is enabled where it is imported")
	}
	bar.println("Exported %s.", describeTransfer(header.Head, time.Since(began)))
	return nil
}

// writeExport writes a file atomically: it renames a temporary file at the end.
// It writes straight to what is no regular file, such as a pipe.
func writeExport(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(compress(name, f, write), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	// It was created with this mode, or with what the umask has left of it.
	if err := errors.Join(f.Chmod(0o600), compress(name, f, write), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// compress writes through gzip if the name ends in .gz. The same content always
// becomes the same bytes.
func compress(name string, out io.Writer, write func(io.Writer) error) error {
	if !strings.HasSuffix(name, ".gz") {
		return write(out)
	}
	zip := gzip.NewWriter(out)
	if err := write(zip); err != nil {
		return err
	}
	return zip.Close()
}

func describeTransfer(events domain.Position, took time.Duration) string {
	return fmt.Sprintf("%d events in %.1f s, %.0f/s", events, took.Seconds(), float64(events)/took.Seconds())
}
