package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/dbfile"
)

// errFilesChanged is returned by calls while the log's files are not the ones
// that were opened. It does not say what is wrong, or what to do: that is for
// the operator, who gets it from Problems.
var errFilesChanged = &domain.Error{Kind: domain.Unavailable, Msg: "the files of the server's store were moved, replaced or deleted; nothing is written until its operator has put that right"}

// guard detects that the log's files are not the ones that were opened. SQLite
// would not notice: it keeps its files open, and goes on writing to one that was
// deleted, or whose folder was moved away.
type guard struct {
	logger *slog.Logger
	path   string
	files  []dbfile.File // log.db, -wal and -shm
	// restored is called when the files are again the ones that were opened.
	restored func()

	mu sync.Mutex // held while the log is written to
	// size and written are log.db's when its content was last known to be right.
	size    int64
	written time.Time
	last    lastEvent

	lockProblem atomic.Pointer[string] // what is wrong with the folder's lock
	problem     atomic.Pointer[string] // nil if all is well
}

// compareEvery is how often the files are compared while nothing is written.
const compareEvery = time.Second

// durableFiles is how many of the guard's files hold what was written: log.db
// and its -wal.
const durableFiles = 2

// lastEvent identifies the last event that was written to the log, which its
// file must therefore hold.
type lastEvent struct {
	position       domain.Position // 0 if the log is empty
	actor, command string
}

const lastEventQuery = "SELECT position, actor, command_id FROM events ORDER BY position DESC LIMIT 1"

// openGuard returns a guard of a log. opened is log.db as it was before SQLite
// opened it. SQLite must have read it since, so that its other files exist.
func openGuard(ctx context.Context, path string, opened os.FileInfo, db *sql.DB, logger *slog.Logger) (*guard, error) {
	g := &guard{logger: logger, path: path, files: []dbfile.File{{Path: path, Info: opened}}}
	for _, suffix := range []string{"-wal", "-shm"} {
		f, err := dbfile.Stat(path + suffix)
		if err != nil {
			return nil, err
		}
		g.files = append(g.files, f)
	}
	now, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(opened, now) {
		return nil, domain.Errorf(domain.Unavailable, "%s was replaced while it was being opened", path)
	}
	g.size, g.written = now.Size(), now.ModTime()
	err = db.QueryRowContext(ctx, lastEventQuery).Scan(&g.last.position, &g.last.actor, &g.last.command)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return g, err
}

// err returns errFilesChanged if there was a problem when the files were last
// checked.
func (g *guard) err() error {
	if g.problem.Load() != nil {
		return errFilesChanged
	}
	return nil
}

// compareFiles looks at the files now, without their content, and returns
// errFilesChanged if they are not the ones that were opened.
func (g *guard) compareFiles() error {
	if problem, _ := compare(g.files); problem != "" {
		return errFilesChanged
	}
	return nil
}

// setLockProblem sets what is wrong with the folder's lock, "" if nothing is.
func (g *guard) setLockProblem(problem string) {
	if problem == "" {
		g.lockProblem.Store(nil)
		return
	}
	g.lockProblem.Store(&problem)
}

// check compares some of the files with what their paths lead to, and returns
// errFilesChanged if they differ. If log.db has another size or time, check
// reads it: thoroughly, unless this process may have changed it. The caller
// holds g.mu.
func (g *guard) check(files []dbfile.File, thorough bool) error {
	if g.problem.Load() != nil {
		files = g.files // the problem may be with any of them
	}
	problem, now := compare(files)
	if lock := g.lockProblem.Load(); problem == "" && lock != nil {
		problem = *lock
	}
	if problem == "" && (now.Size() != g.size || !now.ModTime().Equal(g.written)) {
		smaller := now.Size() < g.size
		var sure bool
		if problem, sure = g.checkContent(thorough || smaller, smaller); problem == "" && sure {
			g.size, g.written = now.Size(), now.ModTime()
		}
	}
	g.setProblem(problem)
	return g.err()
}

// compare returns what is wrong with the files, and log.db as it is now.
func compare(files []dbfile.File) (problem string, now os.FileInfo) {
	for i, f := range files {
		info, state := f.Compare()
		switch {
		case state == dbfile.Same && i == 0:
			now = info
		case state == dbfile.Same:
		case i == 0:
			return logProblem(f, state), nil
		default:
			return fmt.Sprintf("%s was %s while the server has it open, so nothing is written to the log. Stop the server (SIGTERM, not SIGKILL), which completes %s, and start it again",
				f.Path, state, filepath.Base(files[0].Path)), nil
		}
	}
	return "", now
}

// logProblem tells the operator what became of log.db, and what to do.
func logProblem(f dbfile.File, state dbfile.State) string {
	name := filepath.Base(f.Path)
	what := fmt.Sprintf("%s was %s while the server has it open, so nothing is written to it. ", f.Path, state)
	if state == dbfile.Gone {
		return what + fmt.Sprintf("If it was moved, move it and %[1]s-wal back, and the server goes on; if it is lost, stop the server, put a copy of the data folder in place, and start it again", name)
	}
	return what + fmt.Sprintf("To go on with the file that was there, move it and %[1]s-wal back; to go on with the one that is there now, stop the server, remove %[1]s-wal and %[1]s-shm unless they came with it, and start it again", name)
}

// checkContent reads log.db and returns a problem if it was overwritten in
// place. If it is not sure that the content is right, the caller must check it
// again: an error from outside, such as too many open files, proves nothing. But
// if the file has become smaller, any error counts.
func (g *guard) checkContent(thorough, smaller bool) (problem string, sure bool) {
	err := g.readContent(thorough)
	switch {
	case err == nil:
		return "", true
	case dbfile.Remedy(err) != "" && !smaller:
		return "", false
	}
	return fmt.Sprintf("%[1]s was overwritten while the server has it open (%[2]v), so nothing is written to it. "+
		"Stop the server, remove %[3]s, %[3]s-wal and %[3]s-shm, put a copy of the log in place (with its -wal, if it has one), and start the server", g.path, err, filepath.Base(g.path)), true
}

// readContent looks for the last event, and checks the whole file if thorough.
// It does so on a new connection, which has no page of the file in its cache.
func (g *guard) readContent(thorough bool) (err error) {
	db, err := dbfile.Open(g.path, "query_only(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := context.Background()
	if err := g.last.find(ctx, db); err != nil || !thorough {
		return err
	}
	found, err := checkFile(ctx, db, g.path)
	if err == nil && !found {
		err = errors.New("it is empty")
	}
	return err
}

// find returns an error if a database lacks the event.
func (e lastEvent) find(ctx context.Context, db *sql.DB) error {
	if e.position == 0 {
		return nil
	}
	found := lastEvent{position: e.position}
	err := db.QueryRowContext(ctx, "SELECT actor, command_id FROM events WHERE position = ?", e.position).Scan(&found.actor, &found.command)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("the event at position %d is gone", e.position)
	case err == nil && found != e:
		return fmt.Errorf("another event is at position %d", e.position)
	default:
		return err
	}
}

// setProblem sets what is wrong, and logs it if that has changed.
func (g *guard) setProblem(problem string) {
	before := g.problem.Load()
	switch {
	case problem == "" && before != nil:
		g.logger.Info("the log's files are the ones that were opened again; it is written to again", "file", g.path)
		if g.restored != nil {
			g.restored()
		}
		g.problem.Store(nil)
	case problem != "" && (before == nil || *before != problem):
		g.logger.Error("the log's files are not the ones that were opened", "problem", problem)
		g.problem.Store(&problem)
	}
}

// write runs a function that writes to the log and returns the last event that it
// wrote, if any. If the log's files are not the ones that were opened, write
// returns an error without calling it. If they are not when the function has
// returned, the error is errFilesChanged and not ErrNotAppended, because what was
// written may be lost, or may come back with the files.
func (g *guard) write(write func() (*lastEvent, error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(g.files[:durableFiles], true); err != nil {
		return eventstore.NotAppended(err)
	}
	last, err := write()
	if err == nil && last != nil {
		g.last = *last
	}
	if changed := g.check(g.files[:durableFiles], false); changed != nil {
		return changed
	}
	return err
}

// watch checks the files each second until closing is closed.
func (g *guard) watch(closing <-chan struct{}) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	for {
		select {
		case <-closing:
			return
		case <-tick.C:
		}
		_ = g.checkAll() // logged, and kept for err
	}
}

// checkAll checks all files, thoroughly, between two writes.
func (g *guard) checkAll() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check(g.files, true)
}
