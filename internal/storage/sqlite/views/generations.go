package views

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// serves says, under a generation's write lock, whether it serves: ErrFenced if
// not. Who holds that lock must not ask for the mutex of the views, which is
// held while generations are closed.
func (v *Store) serves(g *generation) error {
	number, err := readServing(v.dir)
	if err == nil && number != g.number {
		return readmodel.ErrFenced
	}
	return err
}

// Build implements readmodel.Store.
func (v *Store) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	if v.options.ReadOnly {
		return nil, domain.Errorf(domain.Invalid, "data folder %s is open for reading only", v.dir)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	current, err := v.servingNow(true)
	if err != nil {
		return nil, err
	}
	// Another process may make a generation at the same time. Whose comes
	// second takes it up, or discards it, in the next round.
	const rounds = 3
	for range rounds {
		g, err := v.buildOnce(ctx, current.number, readmodel.Generation{Epoch: epoch, Threshold: threshold})
		if err != nil {
			return nil, dbfile.Translate(ctx, "build the views", err)
		}
		if g != nil {
			b := &builder{}
			b.writer = writer{views: v, generation: g, may: b.builds}
			return b, nil
		}
	}
	return nil, domain.Errorf(domain.Unavailable, "other rebuilds with other settings are at work in %s; let them end and try again", v.dir)
}

// buildOnce takes up the newest unfinished generation that is what is wanted,
// or makes it, and discards the others. It gives nil if another process had
// made something else in the meantime.
func (v *Store) buildOnce(ctx context.Context, serving int, want readmodel.Generation) (*generation, error) {
	numbers, last, err := beyond(v.dir, serving)
	if err != nil {
		return nil, err
	}
	var g *generation
	for _, number := range slices.Backward(numbers) {
		if g, err = v.takeUp(ctx, number, want); g != nil || err != nil {
			break
		}
	}
	if g == nil && err == nil {
		// The new file is there before the old ones go, so that its number is new.
		want.Number = last + 1
		if err = createGeneration(v.dir, want, v.limits.room, ""); err == nil {
			g, err = v.takeUp(ctx, want.Number, want)
		}
	}
	if err != nil || g == nil {
		return nil, err
	}
	for _, number := range numbers {
		if number != g.number {
			if err := v.discardUnfinished(number); err != nil {
				return nil, fmt.Errorf("discard unfinished views %d: %w", number, err)
			}
		}
	}
	return g, nil
}

// beyond gives the generations with higher numbers than the one that serves,
// and the highest number in the folder.
func beyond(dir string, serving int) (numbers []int, last int, err error) {
	err = eachGeneration(dir, func(path string, number int) error {
		if !strings.Contains(filepath.Base(path), unnamed) { // two that are made at once are one
			last = max(last, number)
		}
		if number > serving && path == generationPath(dir, number) {
			numbers = append(numbers, number)
		}
		return nil
	})
	slices.Sort(numbers)
	return numbers, last, err
}

// takeUp opens an unfinished generation if it is what is wanted and can go on,
// and gives nil otherwise.
func (v *Store) takeUp(ctx context.Context, number int, want readmodel.Generation) (*generation, error) {
	g := v.built[number]
	if g == nil {
		opened, err := openBuilding(v.dir, number, v.limits)
		var damage *unfitError
		if errors.As(err, &damage) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		g = opened
	}
	at, err := g.describe()
	if err == nil && at.Epoch == want.Epoch && at.Threshold == want.Threshold {
		if at.Checkpoint != (readmodel.Checkpoint{}) {
			err = belongs(ctx, v.log, at)
		}
		if err == nil {
			v.built[number] = g
			return g, nil
		}
	}
	delete(v.built, number)
	err = errors.Join(unfit(err), g.close())
	var damage *unfitError
	if errors.As(err, &damage) {
		return nil, nil
	}
	return nil, err
}

// discardUnfinished removes a generation that was being built. Its row goes
// first, under the write lock, so that nobody can switch to it or write to it
// any more.
func (v *Store) discardUnfinished(number int) error {
	if g := v.built[number]; g != nil {
		delete(v.built, number)
		if err := g.close(); err != nil {
			return err
		}
	}
	g, err := openBuilding(v.dir, number, v.limits)
	if err == nil {
		err = g.writing(func(c *conn) error {
			return c.transact(func() error {
				if serving, err := readServing(v.dir); err != nil || serving >= number {
					return errors.Join(err, fmt.Errorf("generation %d serves by now", serving))
				}
				_, err := c.exec("DELETE FROM generation")
				return err
			})
		})
		err = errors.Join(unfit(err), g.close())
	}
	var damage *unfitError
	if err != nil && !errors.As(err, &damage) {
		return err
	}
	return removeGenerations(v.dir, func(n int) bool { return n == number })
}

// DropRetired implements readmodel.Store.
func (v *Store) DropRetired(ctx context.Context, age time.Duration) ([]int, error) {
	if err := ctx.Err(); err != nil || v.options.ReadOnly {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	current, err := v.servingNow(true)
	if err != nil {
		if errors.Is(err, errNoViews) {
			return nil, nil
		}
		return nil, err
	}
	var dropped []int
	err = eachGeneration(v.dir, func(path string, number int) error {
		if number >= current.number || path != generationPath(v.dir, number) {
			return nil
		}
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < age {
			return err
		}
		dropped = append(dropped, number)
		return nil
	})
	slices.Sort(dropped)
	for _, number := range dropped {
		err = errors.Join(err, v.drop(number))
	}
	return dropped, dbfile.Translate(ctx, "drop old views", err)
}

// drop closes a generation in this process, and removes it.
func (v *Store) drop(number int) error {
	var errs []error
	for g := range v.retired {
		if g.number == number {
			errs = append(errs, v.closeRetired(g))
		}
	}
	if g := v.built[number]; g != nil {
		delete(v.built, number)
		errs = append(errs, g.close())
	}
	return errors.Join(append(errs, removeGenerations(v.dir, func(n int) bool { return n == number }))...)
}
