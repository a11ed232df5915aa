package views

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

const (
	// snapshots is how many clients may have open at once; more wait for their
	// turn.
	snapshots = 16
	// ownSnapshots is how many more the server may have open for itself.
	ownSnapshots = 4
	// closeWithin is how long closing waits for open snapshots.
	closeWithin = 2 * time.Second
	// retryHoldOff is how long readers are left alone when holding them off was
	// not enough.
	retryHoldOff = time.Second
)

// generation is one open file of views.
type generation struct {
	number  int
	path    string
	file    os.FileInfo // tells it from another file of that name
	limits  limits
	reads   *sql.DB
	writes  *sql.DB // nil when read-only
	readers *pool

	mu     sync.Mutex
	write  *conn     // of the projector, made on demand
	untidy time.Time // when holding off the readers failed
	closed bool

	filesMu sync.Mutex
	wal     dbfile.File // as it was first seen
	size    int64       // of the file, when it was last seen

	watchMu sync.Mutex
	watch   *conn // of Await, made on demand
	blind   bool  // closed
}

// servingPragmas are the settings of the projector's connection.
func servingPragmas(limits limits) []string {
	return []string{"journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-65536)", "temp_store(MEMORY)",
		"wal_autocheckpoint(4000)", fmt.Sprintf("journal_size_limit(%d)", limits.wal)}
}

// buildingPragmas are those of a builder's. Nobody reads beside it, so that a
// checkpoint can be put off for more pages; what is sorted for an index may be
// larger than memory.
func buildingPragmas(limits limits) []string {
	return []string{"journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-131072)", "temp_store(FILE)",
		"wal_autocheckpoint(16000)", fmt.Sprintf("journal_size_limit(%d)", limits.wal)}
}

// openGeneration opens a file of views and checks that it is one.
func openGeneration(dir string, number int, limits limits, readOnly bool) (*generation, error) {
	pragmas := servingPragmas(limits)
	if readOnly {
		pragmas = nil
	}
	return openWith(dir, number, limits, pragmas)
}

// openBuilding opens a generation for a builder.
func openBuilding(dir string, number int, limits limits) (*generation, error) {
	return openWith(dir, number, limits, buildingPragmas(limits))
}

func openWith(dir string, number int, limits limits, writerPragmas []string) (*generation, error) {
	g := &generation{number: number, limits: limits, path: generationPath(dir, number)}
	info, err := os.Stat(g.path)
	switch {
	case err == nil && info.Size() == 0, errors.Is(err, fs.ErrNotExist):
		return nil, &unfitError{fmt.Sprintf("there is no %s", filepath.Base(g.path))}
	case err != nil: // it may be there, and nothing is discarded for not knowing
		return nil, fmt.Errorf("look for the views: %w", err)
	}
	g.file = info
	err = g.connect(writerPragmas)
	if err == nil {
		err = g.check()
	}
	if err != nil {
		return nil, errors.Join(unfit(err), g.close())
	}
	return g, nil
}

// connect opens the databases; without pragmas for the writer there is none.
func (g *generation) connect(writerPragmas []string) (err error) {
	if g.reads, err = dbfile.Open(g.path, "query_only(1)", "cache_size(-8192)"); err != nil {
		return err
	}
	g.readers = newPool(func() (*conn, error) { return g.connection(g.reads) }, snapshots+ownSnapshots)
	if writerPragmas != nil {
		g.writes, err = dbfile.Open(g.path, writerPragmas...)
	}
	return err
}

// check reads what the file says of itself, and a small file as a whole.
func (g *generation) check() error {
	ctx := context.Background()
	header, err := dbfile.ReadHeader(ctx, g.reads)
	switch {
	case err != nil:
		return err
	case header.ApplicationID != applicationID || header.Version != format:
		return &unfitError{fmt.Sprintf("the file has format %d of application %#x, this program reads format %d of %#x", header.Version, header.ApplicationID, format, applicationID)}
	}
	damage, err := dbfile.CheckPages(ctx, g.reads, header)
	if err == nil && damage != "" {
		err = &unfitError{"the file is damaged: " + damage}
	}
	return err
}

// describe reads the generation's row, outside of any transaction.
func (g *generation) describe() (readmodel.Generation, error) {
	g.watchMu.Lock()
	defer g.watchMu.Unlock()
	if g.blind {
		return readmodel.Generation{}, dbfile.ErrClosed
	}
	if g.watch == nil {
		c, err := g.connection(g.reads)
		if err != nil {
			return readmodel.Generation{}, err
		}
		g.watch = c
	}
	return readGeneration(g.watch)
}

// writing runs a function with the projector's connection.
func (g *generation) writing(f func(*conn) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return dbfile.ErrClosed
	}
	if g.writes == nil {
		return domain.Errorf(domain.Invalid, "%s is open for reading only", g.path)
	}
	if g.write == nil {
		c, err := g.connection(g.writes)
		if err != nil {
			return err
		}
		g.write = c
	}
	return f(g.write)
}

// tidy keeps the write-ahead log from growing for ever: it begins anew only
// when no reader uses it, which under load may never happen by itself. The
// next batch then cuts it back to the limit.
func (g *generation) tidy(c *conn) error {
	info, err := os.Stat(g.path + "-wal")
	if err != nil || info.Size() <= g.limits.wal || time.Since(g.untidy) < retryHoldOff {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.limits.holdOff)
	defer cancel()
	all, release := g.readers.takeAll(ctx)
	defer release()
	if !all {
		g.untidy = time.Now()
	}
	_, err = c.exec("PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

func (g *generation) close() error {
	var errs []error
	if g.readers != nil {
		errs = append(errs, g.readers.close(closeWithin))
	}
	g.watchMu.Lock()
	defer g.watchMu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range []*conn{g.watch, g.write} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	for _, db := range []*sql.DB{g.reads, g.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	g.closed, g.blind = true, true
	return errors.Join(errs...)
}
