package views

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

const (
	// clientSnapshots is how many snapshots clients may have open at once.
	clientSnapshots = 16
	// ownSnapshots is how many more the server may have open for itself.
	ownSnapshots = 4
	// closeWithin is how long close waits for open snapshots.
	closeWithin = 2 * time.Second
	// retryHoldOff is the pause after holding off readers was not enough.
	retryHoldOff = time.Second
)

// generation is one open generation of the views.
type generation struct {
	number  int
	path    string
	file    os.FileInfo // tells it from another file of that name
	limits  limits
	reads   *sql.DB
	writes  *sql.DB // nil if read-only
	readers *pool   // of snapshots

	writeMu       sync.Mutex
	write         *conn     // of the projector or the builder; made on demand
	holdOffFailed time.Time // when the readers last stayed longer than they were held off
	closed        bool      // written under both mutexes, read under either

	describeMu sync.Mutex
	describer  *conn // made on demand

	filesMu sync.Mutex
	wal     dbfile.File // as it was first seen
	size    int64       // of the file when it was last seen
}

// servingPragmas returns the settings of the projector's connection.
func servingPragmas(limits limits) []string {
	return []string{"journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-65536)", "temp_store(MEMORY)",
		"wal_autocheckpoint(4000)", fmt.Sprintf("journal_size_limit(%d)", limits.wal)}
}

// buildingPragmas returns the settings of a builder's connection. While it works
// there are no readers, so checkpoints can be rarer. What it sorts for an index
// may be larger than memory.
func buildingPragmas(limits limits) []string {
	return []string{"journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-131072)", "temp_store(FILE)",
		"wal_autocheckpoint(16000)", fmt.Sprintf("journal_size_limit(%d)", limits.wal)}
}

// openGeneration opens a generation. The error is an *unfitError if there is no
// such file, or if the file cannot serve.
func openGeneration(dir string, number int, limits limits, readOnly bool) (*generation, error) {
	pragmas := servingPragmas(limits)
	if readOnly {
		pragmas = nil
	}
	return openFile(dir, number, limits, pragmas, format)
}

// openBuilding opens a generation for a builder.
func openBuilding(dir string, number int, limits limits) (*generation, error) {
	return openFile(dir, number, limits, buildingPragmas(limits), format, buildingFormat)
}

// openFile opens a generation that has one of the formats.
func openFile(dir string, number int, limits limits, writerPragmas []string, formats ...int64) (*generation, error) {
	g := &generation{number: number, limits: limits, path: generationPath(dir, number)}
	info, err := os.Stat(g.path)
	switch {
	case err == nil && info.Size() == 0, errors.Is(err, fs.ErrNotExist):
		return nil, &unfitError{fmt.Sprintf("there is no %s", filepath.Base(g.path))}
	case err != nil: // the file may be there, so this is no reason to discard it
		return nil, fmt.Errorf("look for the views: %w", err)
	}
	g.file = info
	err = g.openPools(writerPragmas)
	if err == nil {
		err = g.check(formats)
	}
	if err != nil {
		return nil, errors.Join(unfit(err), g.close())
	}
	return g, nil
}

// openPools opens the pool of readers and, unless writerPragmas is nil, that of
// the writer.
func (g *generation) openPools(writerPragmas []string) (err error) {
	if g.reads, err = dbfile.Open(g.path, "query_only(1)", fmt.Sprintf("cache_size(-%d)", g.limits.readCache>>10)); err != nil {
		return err
	}
	g.readers = newPool(func() (*conn, error) { return g.connect(g.reads) }, clientSnapshots+ownSnapshots)
	if writerPragmas != nil {
		g.writes, err = dbfile.Open(g.path, writerPragmas...)
	}
	return err
}

// check checks the file's header, and all pages of a small file.
func (g *generation) check(formats []int64) error {
	ctx := context.Background()
	header, err := dbfile.ReadHeader(ctx, g.reads)
	switch {
	case err != nil:
		return err
	case header.ApplicationID != applicationID || !slices.Contains(formats, header.Version):
		return &unfitError{fmt.Sprintf("the file has format %d of application %#x, this program reads format %d of %#x", header.Version, header.ApplicationID, format, applicationID)}
	}
	damage, err := dbfile.CheckPages(ctx, g.reads, header)
	if err == nil && damage != "" {
		err = &unfitError{"the file is damaged: " + damage}
	}
	return err
}

// describe reads the generation's row as it was last committed. It does not wait
// for a writer.
func (g *generation) describe() (readmodel.Generation, error) {
	g.describeMu.Lock()
	defer g.describeMu.Unlock()
	if g.closed {
		return readmodel.Generation{}, dbfile.ErrClosed
	}
	if g.describer == nil {
		c, err := g.connect(g.reads)
		if err != nil {
			return readmodel.Generation{}, err
		}
		g.describer = c
	}
	return readGeneration(g.describer)
}

// withWriter runs a function with the writing connection, one call at a time.
func (g *generation) withWriter(f func(*conn) error) error {
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	if g.closed {
		return dbfile.ErrClosed
	}
	if g.writes == nil {
		return domain.Errorf(domain.Invalid, "%s is open for reading only", g.path)
	}
	if g.write == nil {
		c, err := g.connect(g.writes)
		if err != nil {
			return err
		}
		g.write = c
	}
	return f(g.write)
}

// limitWAL keeps the write-ahead log from growing without bound. SQLite reuses it
// from its start only when no reader uses it, which may never happen under load,
// so limitWAL holds off new snapshots until the open ones are closed, or for
// limits.holdOff. The next batch then truncates the file to its limit.
func (g *generation) limitWAL(c *conn) error {
	info, err := os.Stat(g.path + "-wal")
	if err != nil || info.Size() <= g.limits.wal || time.Since(g.holdOffFailed) < retryHoldOff {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.limits.holdOff)
	defer cancel()
	all, release := g.readers.getAll(ctx)
	defer release()
	if !all {
		g.holdOffFailed = time.Now()
	}
	_, err = c.exec("PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

// close closes the connections. It waits for open snapshots, but not longer than
// closeWithin.
func (g *generation) close() error {
	var errs []error
	if g.readers != nil {
		errs = append(errs, g.readers.close(closeWithin))
	}
	g.describeMu.Lock()
	defer g.describeMu.Unlock()
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	for _, c := range []*conn{g.describer, g.write} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	for _, db := range []*sql.DB{g.reads, g.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	g.closed = true
	return errors.Join(errs...)
}
