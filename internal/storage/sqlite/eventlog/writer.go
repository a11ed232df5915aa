package eventlog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"runtime"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/dbfile"
)

// writerPragmas are the settings of the writer's connection. A checkpoint at
// 4,000 pages in place of 1,000 is one for about 5,000 appends: fewer copies
// of the same pages, for a somewhat longer wait.
func writerPragmas() []string {
	return []string{"synchronous(FULL)", "cache_size(-65536)", "wal_autocheckpoint(4000)"}
}

const (
	groupJobs   = 512  // most jobs in one transaction
	queuedJobs  = 1024 // most jobs that wait; more callers wait for a place
	groupEvents = 4096 // a group that has this many events takes no more jobs
)

// writer is the only one that writes to the log's file, and commits in groups:
// everything that was queued while one transaction was committed shares the
// next one, and its sync. A job that comes to an idle writer is run at once.
type writer struct {
	db        *sql.DB
	conn      *sql.Conn
	stmts     writeStmts
	queue     chan *job
	stop      chan struct{} // closed to stop
	stopped   chan struct{} // closed when the writer has ended
	committed func([]eventstore.Event)
	guard     *guard
}

// job is a caller's part of a transaction.
type job struct {
	ctx    context.Context
	events int
	// run writes all that it wants to, or nothing and refuses (see refusal).
	// Any other error ends the transaction.
	run  func(*group) error
	done chan error // with room for the outcome
}

// group is the transaction of some jobs.
type group struct {
	*writeStmts
	conn   *sql.Conn
	head   domain.Position
	events []eventstore.Event
}

func refusal(err error) bool {
	return errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrCommandReused)
}

func openWriter(ctx context.Context, path string, committed func([]eventstore.Event), guard *guard) (_ *writer, err error) {
	w := &writer{
		queue: make(chan *job, queuedJobs), stop: make(chan struct{}), stopped: make(chan struct{}),
		committed: committed, guard: guard,
	}
	if w.db, err = dbfile.Open(path, writerPragmas()...); err != nil {
		return nil, err
	}
	if w.conn, err = w.db.Conn(ctx); err == nil {
		w.stmts, err = prepareWrites(ctx, w.conn)
	}
	if err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	go w.loop()
	return w, nil
}

// do queues a job and waits for its outcome. When ctx ends it returns at once;
// the job may have been run, or yet be, unless it never got into the queue. An
// error of a job that certainly wrote nothing is eventstore.ErrNotAppended.
func (w *writer) do(ctx context.Context, events int, run func(*group) error) error {
	if err := ctx.Err(); err != nil {
		return eventstore.NotAppended(err)
	}
	j := &job{ctx: ctx, events: events, run: run, done: make(chan error, 1)}
	select {
	case w.queue <- j:
	case <-w.stop:
		return eventstore.NotAppended(dbfile.ErrClosed)
	case <-ctx.Done():
		return eventstore.NotAppended(ctx.Err())
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		select {
		case err := <-j.done:
			return err
		default:
			return eventstore.NotAppended(dbfile.ErrClosed) // queued when the writer had gone
		}
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case j := <-w.queue:
			w.commit(w.gather(j))
		case <-w.stop:
			for {
				select {
				case j := <-w.queue:
					w.commit(w.gather(j))
				default:
					return
				}
			}
		}
	}
}

// gather takes what is queued, without waiting for more. It lets the callers
// run that were answered last, so that their next jobs come with this group
// and not with the one after it.
func (w *writer) gather(first *job) []*job {
	runtime.Gosched()
	jobs, events := []*job{first}, first.events
	for len(jobs) < groupJobs && events < groupEvents {
		select {
		case j := <-w.queue:
			jobs, events = append(jobs, j), events+j.events
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs jobs in one transaction. If one of them breaks it, in a way that
// has nothing to do with the disk, each is run in a transaction of its own.
func (w *writer) commit(jobs []*job) {
	g := &group{writeStmts: &w.stmts, conn: w.conn}
	outcomes := make([]error, len(jobs))
	err := w.guard.writing(func() (head *witness, err error) {
		err = w.transact(func() error { return g.run(jobs, outcomes) })
		return g.witness(), err
	})
	if err != nil && len(jobs) > 1 && dbfile.Passing(err) == "" && !errors.Is(err, errLost) {
		for i := range jobs {
			w.commit(jobs[i : i+1])
		}
		return
	}
	if err == nil {
		w.committed(g.events)
	}
	for i, j := range jobs {
		j.done <- cmp.Or(err, outcomes[i])
	}
}

func (g *group) run(jobs []*job, outcomes []error) error {
	if err := g.readHead.QueryRow().Scan(&g.head); err != nil {
		return err
	}
	for i, j := range jobs {
		if outcomes[i] = j.ctx.Err(); outcomes[i] != nil {
			continue
		}
		if outcomes[i] = j.run(g); outcomes[i] != nil && !refusal(outcomes[i]) {
			return outcomes[i]
		}
	}
	return nil
}

// witness returns the last event that the group wrote, nil if there is none.
func (g *group) witness() *witness {
	if len(g.events) == 0 {
		return nil
	}
	last := g.events[len(g.events)-1]
	return &witness{last.Position, last.Actor, last.CommandID}
}

// exec runs a statement that is too rare to be kept prepared.
func (g *group) exec(query string, args ...any) error {
	_, err := g.conn.ExecContext(context.Background(), query, args...)
	return err
}

// transact holds the write lock from the start, for what is read inside
// decides what is written, and another process may write too. An error before
// the commit, or of a commit that did not get as far as the sync, undid it all.
func (w *writer) transact(run func() error) error {
	if _, err := w.stmts.begin.Exec(); err != nil {
		return eventstore.NotAppended(err)
	}
	if err := run(); err != nil {
		w.rollback()
		return eventstore.NotAppended(err)
	}
	_, err := w.stmts.commit.Exec()
	if err == nil {
		return nil
	}
	w.rollback()
	if inDoubt(err) {
		return err
	}
	return eventstore.NotAppended(err)
}

// rollback is without effect if SQLite has rolled back already, as it does
// after some errors.
func (w *writer) rollback() { _, _ = w.stmts.rollback.Exec() }

// close lets the writer finish what is queued, and closes its connection.
func (w *writer) close() error {
	close(w.stop)
	<-w.stopped
	return errors.Join(w.stmts.close(), w.conn.Close(), w.db.Close())
}
