package views

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"chirp/internal/storage/sqlite/dbfile"
)

// strayed returns an *unfitError when the files of the generation are not the
// ones that were opened.
func (g *generation) strayed() error {
	g.filesMu.Lock()
	defer g.filesMu.Unlock()
	if g.wal.Info == nil { // SQLite makes it with the first connection that writes
		g.wal, _ = dbfile.Opened(g.path + "-wal")
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

// connection opens a connection, and sees that it is to the file that the
// generation has open, not to one that has taken its place.
func (g *generation) connection(db *sql.DB) (*conn, error) {
	c, err := newConn(db)
	if err != nil {
		return nil, err
	}
	if err := g.strayed(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNoViews, err), c.close())
	}
	return c, nil
}

// Mend makes the views again when they were discarded, without waiting for a
// projector that has something to apply to them.
func (v *Store) Mend() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || !v.options.Exclusive {
		return nil
	}
	_, err := v.servingNow(true)
	if !errors.Is(err, errNoViews) || v.last.Number == 0 {
		return err
	}
	return v.begin(v.last.Epoch, v.last.Threshold)
}

// away returns an error while the folder's log is not the one that is open:
// then the folder's views are not those of this process either, and are left
// alone.
func (v *Store) away() error {
	if v.options.Intact == nil {
		return nil
	}
	return v.options.Intact()
}
