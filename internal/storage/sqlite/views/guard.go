package views

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"chirp/internal/storage/sqlite/dbfile"
)

// checkFiles returns an *unfitError if the files of the generation are not the
// ones that were opened.
func (g *generation) checkFiles() error {
	g.filesMu.Lock()
	defer g.filesMu.Unlock()
	if g.wal.Info == nil { // SQLite creates it with the first connection that writes
		g.wal, _ = dbfile.Stat(g.path + "-wal")
	}
	for _, f := range []dbfile.File{{Path: g.path, Info: g.file}, g.wal} {
		if f.Info == nil {
			continue
		}
		now, state := f.Compare()
		if f.Path == g.path && state == dbfile.Same {
			if now.Size() < g.size { // views only grow
				state = dbfile.Overwritten
			}
			g.size = now.Size()
		}
		if state != dbfile.Same {
			return &unfitError{fmt.Sprintf("%s was %s while the server has it open", filepath.Base(f.Path), state)}
		}
	}
	return nil
}

// connect opens a connection, and checks that it is to the file that the
// generation has open, and not to one that has taken its place.
func (g *generation) connect(db *sql.DB) (*conn, error) {
	c, err := newConn(db)
	if err != nil {
		return nil, err
	}
	if err := g.checkFiles(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNoViews, err), c.close())
	}
	return c, nil
}

// EnsureServing creates a generation if the views were discarded, without waiting
// for a projector that has something to apply to them. Only a process that is
// Exclusive does.
func (v *Store) EnsureServing() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || !v.options.Exclusive {
		return nil
	}
	_, err := v.servingLocked(true)
	var unfit *unfitError
	switch {
	case !errors.Is(err, errNoViews):
		return err
	case v.last.Number > 0:
		return v.create(v.last.Epoch, v.last.Threshold)
	case errors.As(err, &unfit):
		return err
	default:
		return nil // none were ever asked for, as during an import
	}
}
