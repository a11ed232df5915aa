package views

import (
	"cmp"
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

// checkServing returns ErrFenced unless a generation serves. The caller holds that
// generation's write lock, and therefore must not lock v.mu: generations are
// closed under it, which waits for their writer.
func (v *Store) checkServing(g *generation) error {
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
	current, err := v.servingLocked(true)
	if err != nil {
		return nil, err
	}
	// Another process may create a generation at the same time. The second of
	// the two then resumes or discards the first one's in its next round.
	const rounds = 3
	for range rounds {
		g, err := v.tryBuild(ctx, current.number, readmodel.Generation{Epoch: epoch, Threshold: threshold})
		if err != nil {
			return nil, dbfile.Translate(ctx, "build the views", err)
		}
		if g != nil {
			b := &builder{}
			b.writer = writer{views: v, generation: g, fence: b.checkBuilding}
			return b, nil
		}
	}
	return nil, domain.Errorf(domain.Unavailable, "other rebuilds with other settings are at work in %s; let them end and try again", v.dir)
}

// tryBuild resumes the newest unfinished generation with the wanted epoch and
// threshold, or creates one, and discards all other unfinished ones. It returns
// nil if another process has created a generation meanwhile.
func (v *Store) tryBuild(ctx context.Context, serving int, want readmodel.Generation) (*generation, error) {
	numbers, last, err := unfinished(v.dir, serving)
	if err != nil {
		return nil, err
	}
	var g *generation
	for _, number := range slices.Backward(numbers) {
		if g, err = v.resume(ctx, number, want); g != nil || err != nil {
			break
		}
	}
	if g == nil && err == nil {
		// The file is created before the others are removed, so that its number is
		// above theirs.
		want.Number = last + 1
		if err = createGeneration(v.dir, want, v.limits.room, ""); err == nil {
			g, err = v.resume(ctx, want.Number, want)
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

// unfinished returns the numbers of the generations above the one that serves, and
// the highest number in the folder.
func unfinished(dir string, serving int) (numbers []int, last int, err error) {
	err = eachGeneration(dir, func(path string, number int) error {
		// Files that are being created don't count, so that two processes that
		// create a generation at the same time choose the same number.
		if !strings.Contains(filepath.Base(path), unfinishedMark) {
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

// Unfinished implements readmodel.Store.
func (v *Store) Unfinished(ctx context.Context) (readmodel.Generation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	current, err := v.servingLocked(true)
	if err != nil {
		return readmodel.Generation{}, err
	}
	numbers, _, err := unfinished(v.dir, current.number)
	for _, number := range slices.Backward(numbers) {
		g, err := v.describeUnfinished(number)
		var damage *unfitError
		if !errors.As(err, &damage) {
			return g, dbfile.Translate(ctx, "look for unfinished views", err)
		}
	}
	return readmodel.Generation{}, cmp.Or(dbfile.Translate(ctx, "look for unfinished views", err), readmodel.ErrNotFound)
}

// describeUnfinished describes an unfinished generation. The error is an *unfitError
// if it cannot be continued.
func (v *Store) describeUnfinished(number int) (readmodel.Generation, error) {
	if g := v.built[number]; g != nil {
		described, err := g.describe()
		return described, unfit(err)
	}
	g, err := openFile(v.dir, number, v.limits, nil, format, buildingFormat)
	if err != nil {
		return readmodel.Generation{}, err
	}
	described, err := g.describe()
	return described, errors.Join(unfit(err), g.close())
}

// resume opens an unfinished generation. It returns nil if that is not the wanted
// one, or cannot be continued.
func (v *Store) resume(ctx context.Context, number int, want readmodel.Generation) (*generation, error) {
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
			err = checkBelongs(ctx, v.log, at)
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

// discardUnfinished removes a generation that was being built. Its row is deleted
// first, under the write lock, so that no process can write to it or switch to it
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
		err = g.withWriter(func(c *conn) error {
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
	current, err := v.servingLocked(true)
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

// drop closes a generation in this process, and removes its files.
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
