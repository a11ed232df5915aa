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
	"chirp/internal/audit"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// importFlags are the flags of the import command.
type importFlags struct {
	File               string `arg:"" help:"File that chirp export wrote, compressed or not; - is standard input."`
	NewEpoch           bool   `help:"Start a history of its own, which refuses cursors of the exported log. Without this flag, those cursors stay valid."`
	WithoutCredentials bool   `help:"Import no password hashes: users who registered with a password cannot log in."`
	WithTokenSecret    bool   `help:"Also import the token secret, so that tokens stay valid. Anyone who has the file, or wrote it, can then sign tokens for every user. Without this flag, users log in again."`
}

// contradiction returns an error if the flags contradict each other.
func (f importFlags) contradiction() error {
	if f.WithoutCredentials && f.WithTokenSecret {
		return errors.New("--with-token-secret: the token secret is one of the credentials that --without-credentials leaves out; give one of the two flags")
	}
	return nil
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
	i := &importing{importFlags: cfg.Import, store: store, file: file, bar: bar, audit: audit.New()}
	err = i.run(ctx)
	bar.clear()
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("import: %w; the store is still empty", ErrInterrupted)
	case err != nil:
		return fmt.Errorf("import %s: %w", cfg.Import.File, err)
	}
	if err := i.restoreSecret(ctx); err != nil {
		return fmt.Errorf("import %s: the events are imported, but the token secret is not, so all users must log in again: %w", cfg.Import.File, err)
	}
	bar.println("Imported %s. The server builds the views when it starts.", describeTransfer(file.Header.Head, time.Since(began)))
	i.reportLockedOut()
	i.reportDisabled()
	return nil
}

// importing is an import under way.
type importing struct {
	importFlags
	store app.Storage
	file  *archive.Reader
	bar   *progressBar
	audit *audit.Audit

	secret   []byte // the token secret, if it is to be imported
	hashes   int64  // password hashes that were imported
	disabled int64  // disabled users
}

// run imports the accounts before the events, as a registration writes them. First it
// removes the accounts of an earlier import that was killed.
func (i *importing) run(ctx context.Context) error {
	into := i.store.Log()
	head, err := into.Head(ctx)
	if err == nil && head.Position > 0 {
		err = eventstore.NotEmpty(head.Position)
	}
	if err != nil {
		return err
	}
	epoch, err := i.epoch()
	if err != nil {
		return err
	}
	if err := i.store.Credentials().Discard(ctx); err != nil {
		return err
	}
	err = i.restoreAccounts(ctx)
	if err == nil {
		err = into.Import(ctx, epoch, showProgress(readAhead(ctx, i.audited()), i.file.Header.Head, i.bar))
	}
	if err != nil && i.file.Header.Access {
		return errors.Join(err, discardAccounts(ctx, i.store))
	}
	return err
}

// maxEpoch is the most characters of an epoch. Cursors carry a log's epoch.
const maxEpoch = 128

// epoch returns the epoch of the imported log.
func (i *importing) epoch() (string, error) {
	epoch := i.file.Header.Epoch
	switch {
	case i.NewEpoch:
		return rand.Text(), nil
	case len(epoch) > maxEpoch:
		return "", domain.Errorf(domain.Invalid, "the epoch in the header has %d bytes; at most %d are allowed", len(epoch), maxEpoch)
	}
	return epoch, nil
}

// audited returns the events of the file. The iterator ends with an error at the
// first event that no command appends.
func (i *importing) audited() iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch, err := range i.file.Events() {
			if err == nil {
				err = i.check(batch)
			}
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}
}

func (i *importing) check(batch []eventstore.Event) error {
	for _, e := range batch {
		if _, refusal := i.audit.Next(e); refusal != nil {
			return domain.Errorf(domain.Invalid, "%v", refusal)
		}
	}
	return nil
}

// finishTimeout bounds what an import does even after it was interrupted.
const finishTimeout = 10 * time.Second

// discardAccounts removes the accounts that an import restored before it failed. A
// store without events has no others.
func discardAccounts(ctx context.Context, store app.Storage) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
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
