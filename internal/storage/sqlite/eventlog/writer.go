package eventlog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"runtime"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
	"chirp/internal/storage/sqlite/dbfile"
)

// writerPragmas returns the settings of the writer's connection. A checkpoint at
// 4,000 pages in place of SQLite's 1,000 comes once in about 5,000 appends. It
// copies fewer pages in all, because many were written more than once, and takes
// somewhat longer.
func writerPragmas() []string {
	return []string{"synchronous(FULL)", "cache_size(-65536)", "wal_autocheckpoint(4000)"}
}

const (
	groupJobs   = 512  // most jobs in one transaction
	queuedJobs  = 1024 // most jobs in the queue
	groupEvents = 4096 // a group with this many events takes no more jobs
)

// writer is the only writer of the log's file in this process. It commits in
// groups: the jobs that were queued while one transaction was committed share
// the next one, and its sync. A job that finds the writer idle runs at once.
type writer struct {
	db        *sql.DB
	conn      *sql.Conn
	stmts     writeStmts
	queue     *groupcommit.Queue[job]
	stopped   chan struct{} // closed when the writer has stopped
	committed func([]eventstore.Event)
	guard     *guard
}

// job is one caller's part of a transaction.
type job struct {
	ctx    context.Context
	events int // how many it appends
	// run writes everything or, if it refuses, nothing. An error that is not a
	// refusal rolls the transaction back.
	run func(*group) error
}

// group is the transaction of several jobs.
type group struct {
	*writeStmts
	conn   *sql.Conn
	head   domain.Position    // of the last event, written ones included
	events []eventstore.Event // that were written
}

// openWriter opens a writer and starts it. It calls committed with the events of
// each group, before their jobs are answered.
func openWriter(ctx context.Context, path string, committed func([]eventstore.Event), guard *guard) (_ *writer, err error) {
	w := &writer{
		queue: groupcommit.New[job](queuedJobs, dbfile.ErrClosed), stopped: make(chan struct{}),
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

func (w *writer) loop() {
	defer close(w.stopped)
	for w.queue.Wait() {
		if jobs := w.gather(); len(jobs) > 0 { // none if their callers have given up
			w.commit(jobs)
		}
	}
}

// gather takes a group from the queue. It does not wait for more jobs, but first
// yields to the callers that were just answered, so that their next jobs are in
// this group rather than the one after it.
func (w *writer) gather() []*groupcommit.Job[job] {
	runtime.Gosched()
	jobs, events := 0, 0
	return w.queue.Take(func(j job) groupcommit.Choice {
		if jobs == groupJobs || events >= groupEvents {
			return groupcommit.Stop
		}
		jobs, events = jobs+1, events+j.events
		return groupcommit.Take
	})
}

// commit runs jobs in one transaction and answers them. If one of them makes the
// transaction fail, for a reason that has nothing to do with the disk, commit
// runs each job in a transaction of its own, so that only that one fails.
func (w *writer) commit(jobs []*groupcommit.Job[job]) {
	g := &group{writeStmts: &w.stmts, conn: w.conn}
	outcomes := make([]error, len(jobs))
	err := w.guard.write(func() (last *lastEvent, err error) {
		err = w.transact(func() error { return g.run(jobs, outcomes) })
		return g.last(), err
	})
	if err != nil && len(jobs) > 1 && dbfile.Remedy(err) == "" && !errors.Is(err, errFilesChanged) {
		for i := range jobs {
			w.commit(jobs[i : i+1])
		}
		return
	}
	if err == nil {
		w.committed(g.events)
	}
	for i, j := range jobs {
		j.Finish(cmp.Or(err, outcomes[i]))
	}
}

// run runs jobs in the group's transaction. It sets the outcome of each, and
// returns the first error that is not a refusal.
func (g *group) run(jobs []*groupcommit.Job[job], outcomes []error) error {
	if err := g.readHead.QueryRow().Scan(&g.head); err != nil {
		return err
	}
	for i, j := range jobs {
		if outcomes[i] = j.Work.ctx.Err(); outcomes[i] != nil { // the caller has given up
			continue
		}
		if outcomes[i] = j.Work.run(g); outcomes[i] != nil && !isRefusal(outcomes[i]) {
			return outcomes[i]
		}
	}
	return nil
}

// last returns the last event that the group wrote, nil if there is none.
func (g *group) last() *lastEvent {
	if len(g.events) == 0 {
		return nil
	}
	last := g.events[len(g.events)-1]
	return &lastEvent{last.Position, last.Actor, last.CommandID}
}

// exec runs statements that are too rare to be kept prepared.
func (g *group) exec(query string, args ...any) error {
	_, err := g.conn.ExecContext(context.Background(), query, args...)
	return err
}

// transact runs a function in a transaction that holds the write lock from the
// start: what it reads decides what it writes, and other processes write too. The
// error is ErrNotAppended unless the commit may yet take effect.
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

// rollback has no effect if SQLite has rolled back by itself, as it does after
// some errors.
func (w *writer) rollback() { _, _ = w.stmts.rollback.Exec() }

// close stops the writer when it has run what is queued, and closes its
// connection.
func (w *writer) close() error {
	w.queue.Close()
	<-w.stopped
	return errors.Join(closeAll(w.stmts.all), w.conn.Close(), w.db.Close())
}
