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

// builds says whether the generation is being built, or serves: ErrFenced if
// not. Another process may have discarded it, and made a new file of that name.
func (b *builder) builds() error {
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

// build runs a function with the builder's connection, in a transaction that
// holds the write lock, if the generation is still being built.
func (b *builder) build(ctx context.Context, op string, f func(*conn) error) error {
	return b.fenced(b.write(ctx, op, func(c *conn) error {
		return c.transact(func() error {
			if err := b.builds(); err != nil {
				return err
			}
			return f(c)
		})
	}))
}

// fenced gives ErrFenced for errors that say that the generation was discarded.
func (b *builder) fenced(err error) error {
	var gone *unfitError
	if errors.As(err, &gone) {
		return readmodel.ErrFenced
	}
	return err
}

func (v *Store) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

// Apply implements readmodel.Writer.
func (b *builder) Apply(ctx context.Context, batch readmodel.Batch) error {
	return b.fenced(b.writer.Apply(ctx, batch))
}

// Generation implements readmodel.Writer.
func (b *builder) Generation(ctx context.Context) (readmodel.Generation, error) {
	g, err := b.writer.Generation(ctx)
	return g, b.fenced(err)
}

// Finish implements readmodel.Builder: it makes the indexes for the readers.
// One transaction makes all or, if the process dies, none.
func (b *builder) Finish(ctx context.Context) error {
	return b.build(ctx, "finish the views", func(c *conn) error {
		if _, err := readGeneration(c); err != nil {
			return err
		}
		return c.script(readerIndexes)
	})
}

// Hold implements readmodel.Builder.
func (b *builder) Hold(ctx context.Context, d time.Duration) error {
	old, err := b.views.serving(true)
	if err != nil || old.number == b.generation.number {
		return err
	}
	err = b.builds()
	if err == nil {
		err = old.writing(func(c *conn) error {
			_, err := c.exec("UPDATE generation SET held = ?", time.Now().Add(d).UnixMilli())
			return err
		})
	}
	return dbfile.Translate(ctx, "hold the views", err)
}

// Switch implements readmodel.Builder. It holds the write locks of both
// generations, so that the checkpoints that are compared stay as they are until
// the switch is made; writers that wait for the old one's look again who serves
// once they have it.
func (b *builder) Switch(ctx context.Context) error {
	if err := b.Finish(ctx); err != nil {
		return err
	}
	old, err := b.views.serving(true)
	if err != nil || old.number == b.generation.number {
		return err
	}
	err = b.build(ctx, "switch the views", func(c *conn) error {
		next, err := readGeneration(c)
		if err != nil {
			return err
		}
		return old.writing(func(c *conn) error {
			return c.transact(func() error { return b.views.turn(c, old, next) })
		})
	})
	if err == nil {
		_, err = b.views.serving(true)
	}
	return err
}

// turn makes a generation serve in place of an old one, whose connection with
// the write lock is given.
func (v *Store) turn(c *conn, old *generation, next readmodel.Generation) error {
	serving, err := readGeneration(c)
	if err == nil {
		err = v.serves(old)
	}
	switch {
	case err != nil:
		return err
	case next.Checkpoint.Position < serving.Checkpoint.Position:
		return readmodel.ErrBehind
	}
	touch(old.path)
	return writeServing(v.dir, next.Number, true)
}
