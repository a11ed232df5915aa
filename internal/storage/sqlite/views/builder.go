package views

import (
	"context"
	"errors"
	"os"
	"time"

	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// builder implements readmodel.Builder.
type builder struct{ writer }

// checkBuilding returns ErrFenced unless the generation is being built, or
// serves. Another process may have discarded it, and may even have created
// another file of the same name.
func (b *builder) checkBuilding() error {
	serving, err := readServing(b.views.dir)
	if err != nil {
		return err
	}
	if serving == 0 || serving > b.generation.number {
		return readmodel.ErrFenced
	}
	at, err := os.Stat(b.generation.path)
	if err != nil || !os.SameFile(at, b.generation.file) {
		return readmodel.ErrFenced
	}
	return nil
}

// update runs a function in a transaction that holds the generation's write lock,
// if the generation is still being built.
func (b *builder) update(ctx context.Context, op string, f func(*conn) error) error {
	return asFenced(b.write(ctx, op, func(c *conn) error {
		return c.transact(func() error {
			if err := b.checkBuilding(); err != nil {
				return err
			}
			return f(c)
		})
	}))
}

// serves reports whether the generation serves. The connections of its builders are
// closed then, so the builder goes on with those of the server.
func (b *builder) serves() (bool, error) {
	serving, err := b.views.serving(true)
	if err != nil || !os.SameFile(serving.file, b.generation.file) {
		return false, err
	}
	b.generation = serving
	return true, nil
}

// asFenced maps errors that mean that the generation was discarded to ErrFenced.
func asFenced(err error) error {
	var gone *unfitError
	if errors.As(err, &gone) {
		return readmodel.ErrFenced
	}
	return err
}

// Apply implements readmodel.Writer.
func (b *builder) Apply(ctx context.Context, batch readmodel.Batch) error {
	return asFenced(b.writer.Apply(ctx, batch))
}

// Generation implements readmodel.Writer.
func (b *builder) Generation(ctx context.Context) (readmodel.Generation, error) {
	g, err := b.writer.Generation(ctx)
	return g, asFenced(err)
}

// Finish implements readmodel.Builder. It makes the timelines and the indexes, all in
// one transaction. While an event is applied in part it is not known what belongs into
// the timelines, so Finish leaves the work to a later call or to Switch. If ctx ends
// nothing of it is done.
func (b *builder) Finish(ctx context.Context) error {
	if serves, _ := b.serves(); serves {
		return nil
	}
	return b.discardMisfit(b.update(ctx, "finish the views", func(c *conn) error {
		g, err := readGeneration(c)
		if err != nil || g.Checkpoint.Partial != 0 {
			return err
		}
		return c.until(ctx, func() error { return b.generation.complete(c) })
	}))
}

// discardMisfit removes the generation if the error says that its rows do not fit each
// other. A later builder would resume it otherwise, and fail in the same way.
func (b *builder) discardMisfit(err error) error {
	if !errors.Is(err, readmodel.ErrDoesNotFit) {
		return err
	}
	b.views.mu.Lock()
	defer b.views.mu.Unlock()
	return errors.Join(err, b.views.discardUnfinished(b.generation.number))
}

// Hold implements readmodel.Builder.
func (b *builder) Hold(ctx context.Context, d time.Duration) error {
	old, err := b.views.serving(true)
	if err != nil || old.number == b.generation.number {
		return err
	}
	err = b.checkBuilding()
	if err == nil {
		err = old.withWriter(func(c *conn) error {
			_, err := c.exec("UPDATE generation SET held = ?", time.Now().Add(d).UnixMilli())
			return err
		})
	}
	return dbfile.Translate(ctx, "hold the views", err)
}

// Switch implements readmodel.Builder. It holds the write locks of both
// generations, so that neither checkpoint moves between the comparison and the
// switch. A writer that waits for the old generation's lock meanwhile is fenced
// when it gets it.
func (b *builder) Switch(ctx context.Context) error {
	if err := b.Finish(ctx); err != nil {
		return err
	}
	old, err := b.views.serving(true)
	if err != nil || old == b.generation {
		return err
	}
	err = b.discardMisfit(b.update(ctx, "switch the views", func(c *conn) error {
		next, err := readGeneration(c)
		if err != nil {
			return err
		}
		if next.Checkpoint.Partial != 0 {
			if err := c.until(ctx, func() error { return b.generation.forgetPart(c) }); err != nil {
				return err
			}
		}
		return old.withWriter(func(c *conn) error {
			return c.transact(func() error { return b.views.switchGeneration(c, old, next) })
		})
	}))
	if err == nil {
		_, err = b.serves()
	}
	return err
}

// switchGeneration makes a generation serve in place of an old one. c is a
// connection that holds the old one's write lock.
func (v *Store) switchGeneration(c *conn, old *generation, next readmodel.Generation) error {
	serving, err := readGeneration(c)
	if err == nil {
		err = v.checkServing(old)
	}
	switch {
	case err != nil:
		return err
	case next.Checkpoint.Position < serving.Checkpoint.Position:
		return readmodel.ErrBehind
	}
	markRetired(old.path)
	return writeServing(v.dir, next.Number, true)
}
