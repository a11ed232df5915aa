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

// errLost is what calls get while the log's files are not the ones that were
// opened. What is wrong, and what to do, is for the operator: see Problems.
var errLost = &domain.Error{Kind: domain.Unavailable, Msg: "the files of the server's store were moved, replaced or deleted; nothing is written until its operator has put that right"}

// guard compares the files of the log with what their paths name. SQLite
// holds its files open: it would go on writing to a file that was deleted, or
// that belongs to a folder which was moved away.
type guard struct {
	logger *slog.Logger
	path   string
	files  []dbfile.File // log.db, -wal and -shm
	// found is called when the files are again the ones that were opened.
	found func()

	mu      sync.Mutex // held while the log is written to
	size    int64      // of log.db, when it was last known to be right
	written time.Time
	head    witness

	unlocked atomic.Pointer[string] // what is wrong with the folder's lock
	problem  atomic.Pointer[string] // nil if all is well
}

// compareEvery is how often the files are compared while nothing is written.
const compareEvery = time.Second

// durable is how many of the files hold what was written: log.db and its -wal.
const durable = 2

// witness is an event that the log's file must hold.
type witness struct {
	position       domain.Position
	actor, command string
}

const witnessQuery = "SELECT position, actor, command_id FROM events ORDER BY position DESC LIMIT 1"

// openGuard begins to guard a log. opened is log.db as it was before SQLite
// opened it; SQLite must have read it since, so that its other files are there.
func openGuard(ctx context.Context, path string, opened os.FileInfo, db *sql.DB, logger *slog.Logger) (*guard, error) {
	g := &guard{logger: logger, path: path, files: []dbfile.File{{Path: path, Info: opened}}}
	for _, suffix := range []string{"-wal", "-shm"} {
		f, err := dbfile.Opened(path + suffix)
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
	err = db.QueryRowContext(ctx, witnessQuery).Scan(&g.head.position, &g.head.actor, &g.head.command)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return g, err
}

// lost returns errLost while the files are not the ones that were opened.
func (g *guard) lost() error {
	if g.problem.Load() != nil {
		return errLost
	}
	return nil
}

// sameFiles compares the files with what their paths name, at once.
func (g *guard) sameFiles() error {
	if problem, _ := compare(g.files); problem != "" {
		return errLost
	}
	return nil
}

// setUnlocked says what is wrong with the folder's lock, "" if nothing is.
func (g *guard) setUnlocked(problem string) {
	if problem == "" {
		g.unlocked.Store(nil)
		return
	}
	g.unlocked.Store(&problem)
}

// check compares some files with what their paths name, and returns errLost if
// they differ. The caller holds the mutex. A change of log.db's content is
// looked into as well: thoroughly unless this process may have made it.
func (g *guard) check(files []dbfile.File, thorough bool) error {
	if g.problem.Load() != nil {
		files = g.files // it may be about any of them
	}
	problem, now := compare(files)
	if unlocked := g.unlocked.Load(); problem == "" && unlocked != nil {
		problem = *unlocked
	}
	if problem == "" && (now.Size() != g.size || !now.ModTime().Equal(g.written)) {
		smaller := now.Size() < g.size
		var sure bool
		if problem, sure = g.inspect(thorough || smaller, smaller); problem == "" && sure {
			g.size, g.written = now.Size(), now.ModTime()
		}
	}
	g.note(problem)
	return g.lost()
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
			return lostLog(f, state), nil
		default:
			return fmt.Sprintf("%s was %s while the server has it open, so nothing is written to the log. Stop the server (SIGTERM, not SIGKILL), which completes %s, and start it again",
				f.Path, state, filepath.Base(files[0].Path)), nil
		}
	}
	return "", now
}

// inspect reads log.db through a connection that knows nothing of it yet, and
// returns what shows that it was overwritten in place. It is to be asked again
// unless it is sure.
func (g *guard) inspect(thorough, smaller bool) (problem string, sure bool) {
	err := g.read(thorough)
	switch {
	case err == nil:
		return "", true
	case dbfile.Passing(err) != "" && !smaller:
		return "", false
	}
	return fmt.Sprintf("%[1]s was overwritten while the server has it open (%[2]v), so nothing is written to it. "+
		"Stop the server, remove %[3]s, %[3]s-wal and %[3]s-shm, put a copy of the log in place (with its -wal, if it has one), and start the server", g.path, err, filepath.Base(g.path)), true
}

func (g *guard) read(thorough bool) (err error) {
	db, err := dbfile.Open(g.path, "query_only(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := context.Background()
	if err := g.head.isIn(ctx, db); err != nil || !thorough {
		return err
	}
	found, err := checkLog(ctx, db, g.path)
	if err == nil && !found {
		err = errors.New("it is empty")
	}
	return err
}

// isIn checks that a database has the event.
func (w witness) isIn(ctx context.Context, db *sql.DB) error {
	if w.position == 0 {
		return nil
	}
	found := witness{position: w.position}
	err := db.QueryRowContext(ctx, "SELECT actor, command_id FROM events WHERE position = ?", w.position).Scan(&found.actor, &found.command)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("the event at position %d is gone", w.position)
	case err == nil && found != w:
		return fmt.Errorf("another event is at position %d", w.position)
	default:
		return err
	}
}

// note remembers what is wrong, and logs it when that changes.
func (g *guard) note(problem string) {
	before := g.problem.Load()
	switch {
	case problem == "" && before != nil:
		g.logger.Info("the log's files are the ones that were opened again; it is written to again", "file", g.path)
		if g.found != nil {
			g.found()
		}
		g.problem.Store(nil)
	case problem != "" && (before == nil || *before != problem):
		g.logger.Error("the log's files are not the ones that were opened", "problem", problem)
		g.problem.Store(&problem)
	}
}

// writing runs a function that writes to the log, if its files are the ones
// that were opened, and says what it wrote last. If they are not afterwards, the
// error is errLost and in doubt: what was written may be gone, or come back.
func (g *guard) writing(write func() (*witness, error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(g.files[:durable], true); err != nil {
		return eventstore.NotAppended(err)
	}
	last, err := write()
	if err == nil && last != nil {
		g.head = *last
	}
	if lost := g.check(g.files[:durable], false); lost != nil {
		return lost
	}
	return err
}

// watch compares now and then until closing is closed.
func (g *guard) watch(closing <-chan struct{}) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	for {
		select {
		case <-closing:
			return
		case <-tick.C:
		}
		_ = g.look() // noted
	}
}

// look checks the files thoroughly while nothing is written.
func (g *guard) look() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check(g.files, true)
}

// lostLog says what to do about a log that is not where it was.
func lostLog(f dbfile.File, state dbfile.State) string {
	name := filepath.Base(f.Path)
	what := fmt.Sprintf("%s was %s while the server has it open, so nothing is written to it. ", f.Path, state)
	if state == dbfile.Gone {
		return what + fmt.Sprintf("If it was moved, move it and %[1]s-wal back, and the server goes on; if it is lost, stop the server, put a copy of the data folder in place, and start it again", name)
	}
	return what + fmt.Sprintf("To go on with the file that was there, move it and %[1]s-wal back; to go on with the one that is there now, stop the server, remove %[1]s-wal and %[1]s-shm unless they came with it, and start it again", name)
}
