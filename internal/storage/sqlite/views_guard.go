package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
)

// strayed returns an *unfitError when the files of the generation are not the
// ones that were opened.
func (g *generation) strayed() error {
	g.filesMu.Lock()
	defer g.filesMu.Unlock()
	if g.wal.info == nil { // SQLite makes it with the first connection that writes
		g.wal, _ = openedFile(g.path + "-wal")
	}
	for _, f := range []openFile{{path: g.path, info: g.file}, g.wal} {
		if f.info == nil {
			continue
		}
		now, state := f.look()
		if f.path == g.path && state == sameFile {
			if now.Size() < g.size { // views only grow
				state = overwrittenFile
			}
			g.size = now.Size()
		}
		if state != sameFile {
			return &unfitError{fmt.Sprintf("%s was %s while the server has it open", filepath.Base(f.path), state)}
		}
	}
	return nil
}

// connection opens a connection, and sees that it is to the file that the
// generation has open, not to one that has taken its place.
func (g *generation) connection(db *sql.DB) (*viewsConn, error) {
	c, err := newViewsConn(db)
	if err != nil {
		return nil, err
	}
	if err := g.strayed(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNoViews, err), c.close())
	}
	return c, nil
}

// mend makes the views again when they were discarded, without waiting for a
// projector that has something to apply to them.
func (v *Views) mend() error {
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
func (v *Views) away() error {
	if v.intact == nil {
		return nil
	}
	return v.intact()
}
