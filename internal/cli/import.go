package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"chirp/internal/app"
	"chirp/internal/archive"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// importFlags are the flags of the import command.
type importFlags struct {
	File     string `arg:"" help:"File that chirp export wrote, compressed or not; - is standard input."`
	NewEpoch bool   `help:"Start a history of its own, which refuses cursors of the exported log. Without this flag, those cursors stay valid."`
}

// Import fills the store of the config, which must have no events, with an
// exported log: all of it or nothing.
func Import(ctx context.Context, cfg Config, std Streams) (err error) {
	in := std.In
	if cfg.Import.File != "-" {
		f, err := os.Open(cfg.Import.File)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		in = f
	}
	file, err := archive.NewReader(in)
	if err != nil {
		return fmt.Errorf("import %s: %w", cfg.Import.File, err)
	}
	bar := newProgressBar(std.Err)
	store, err := openStore(ctx, cfg, cfg.logger(std.Err))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	began := time.Now()
	accounts, err := importInto(ctx, store, file, cfg.Import.NewEpoch, bar)
	bar.clear()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("import: %w; the store is still empty", ErrInterrupted)
	case err != nil:
		return fmt.Errorf("import %s: %w", cfg.Import.File, err)
	}
	with := ""
	if file.Header.Credentials {
		with = fmt.Sprintf(", with the credentials of %d users", accounts)
	}
	bar.println("Imported %s%s. The server builds the views when it starts.", describeTransfer(file.Header.Head, time.Since(began)), with)
	return nil
}

// importInto imports the credentials before the events, as a registration writes
// them. It returns the number of credentials.
func importInto(ctx context.Context, store app.Storage, file *archive.Reader, newEpoch bool, bar *progressBar) (accounts int, err error) {
	into := store.Log()
	head, err := into.Head(ctx)
	if err == nil && head.Position > 0 {
		err = eventstore.NotEmpty(head.Position)
	}
	if err != nil {
		return 0, err
	}
	epoch := file.Header.Epoch
	if newEpoch {
		epoch = rand.Text()
	}
	accounts, err = restoreSecrets(ctx, store.Credentials(), file)
	if err == nil {
		err = into.Import(ctx, epoch, showProgress(readAhead(ctx, file.Events()), file.Header.Head, bar))
	}
	if err != nil && file.Header.Credentials {
		return 0, errors.Join(err, discardSecrets(ctx, store))
	}
	return accounts, err
}

// restoreSecrets imports the token secret and the credentials. It returns the
// number of credentials.
func restoreSecrets(ctx context.Context, c auth.Credentials, file *archive.Reader) (accounts int, err error) {
	at := time.Now()
	for part, err := range file.Secrets() {
		if err == nil {
			err = c.Restore(ctx, part.TokenSecret, part.Credentials, at)
		}
		if err != nil {
			return accounts, err
		}
		accounts += len(part.Credentials)
	}
	return accounts, nil
}

// discardTimeout bounds discardSecrets.
const discardTimeout = 10 * time.Second

// discardSecrets removes what an import restored before it failed. A store
// without events has no other secrets.
func discardSecrets(ctx context.Context, store app.Storage) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	head, err := store.Log().Head(ctx)
	if err != nil || head.Position > 0 {
		return err
	}
	return store.Credentials().Discard(ctx)
}

// showProgress shows on the bar how many of the events have been imported.
func showProgress(events iter.Seq2[[]eventstore.Event, error], head domain.Position, bar *progressBar) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch, err := range events {
			if !yield(batch, err) {
				return
			}
			if n := len(batch); n > 0 {
				bar.show("events", int64(batch[n-1].Position), int64(head))
			}
		}
	}
}

// readAhead reads a few batches ahead while the store writes. It ends with ctx,
// even while it waits for a file that is a pipe.
func readAhead(ctx context.Context, events iter.Seq2[[]eventstore.Event, error]) iter.Seq2[[]eventstore.Event, error] {
	type result struct {
		batch []eventstore.Event
		err   error
	}
	return func(yield func([]eventstore.Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		read := make(chan result, 4)
		go func() {
			defer close(read)
			for batch, err := range events {
				select {
				case read <- result{batch, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		for {
			select {
			case r, more := <-read:
				if !more || !yield(r.batch, r.err) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}
