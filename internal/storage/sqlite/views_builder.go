package sqlite

import (
	"context"
	"errors"
	"os"
	"time"

	"chirp/internal/readmodel"
)

// viewsBuilder implements readmodel.Builder.
type viewsBuilder struct{ viewsWriter }

// builds says whether the generation is being built, or serves: ErrFenced if
// not. Another process may have discarded it, and made a new file of that name.
func (b *viewsBuilder) builds() error {
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
func (b *viewsBuilder) build(ctx context.Context, op string, f func(*viewsConn) error) error {
	return b.fenced(b.write(ctx, op, func(c *viewsConn) error {
		return c.transact(func() error {
			if err := b.builds(); err != nil {
				return err
			}
			return f(c)
		})
	}))
}

// fenced gives ErrFenced for errors that say that the generation was discarded.
func (b *viewsBuilder) fenced(err error) error {
	var gone *unfitError
	if errors.As(err, &gone) {
		return readmodel.ErrFenced
	}
	return err
}

func (v *Views) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

// Apply implements readmodel.Writer.
func (b *viewsBuilder) Apply(ctx context.Context, batch readmodel.Batch) error {
	return b.fenced(b.viewsWriter.Apply(ctx, batch))
}

// Generation implements readmodel.Writer.
func (b *viewsBuilder) Generation(ctx context.Context) (readmodel.Generation, error) {
	g, err := b.viewsWriter.Generation(ctx)
	return g, b.fenced(err)
}

// Finish implements readmodel.Builder: it makes the indexes for the readers.
// One transaction makes all or, if the process dies, none.
func (b *viewsBuilder) Finish(ctx context.Context) error {
	return b.build(ctx, "finish the views", func(c *viewsConn) error {
		if _, err := readGeneration(c); err != nil {
			return err
		}
		return c.script(viewsReadersSchema)
	})
}

// Hold implements readmodel.Builder.
func (b *viewsBuilder) Hold(ctx context.Context, d time.Duration) error {
	old, err := b.views.serving(true)
	if err != nil || old.number == b.generation.number {
		return err
	}
	err = b.builds()
	if err == nil {
		err = old.writing(func(c *viewsConn) error {
			_, err := c.exec("UPDATE generation SET held = ?", time.Now().Add(d).UnixMilli())
			return err
		})
	}
	return translate(ctx, "hold the views", err)
}

// Switch implements readmodel.Builder. It holds the write locks of both
// generations, so that the checkpoints that are compared stay as they are until
// the switch is made; writers that wait for the old one's look again who serves
// once they have it.
func (b *viewsBuilder) Switch(ctx context.Context) error {
	if err := b.Finish(ctx); err != nil {
		return err
	}
	old, err := b.views.serving(true)
	if err != nil || old.number == b.generation.number {
		return err
	}
	err = b.build(ctx, "switch the views", func(c *viewsConn) error {
		next, err := readGeneration(c)
		if err != nil {
			return err
		}
		return old.writing(func(c *viewsConn) error {
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
func (v *Views) turn(c *viewsConn, old *generation, next readmodel.Generation) error {
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
