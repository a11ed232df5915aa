package views

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"chirp/internal/storage/sqlite/dbfile"
)

// conn is a connection with its prepared statements, for one goroutine at a time.
// Its methods take no context because each call is short; until is for those that are
// not.
type conn struct {
	db    *sql.Conn
	stmts map[string]*sql.Stmt
	ctx   context.Context // of the statements
}

func newConn(db *sql.DB) (*conn, error) {
	c, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{db: c, stmts: make(map[string]*sql.Stmt), ctx: context.Background()}, nil
}

// stmt returns the prepared statement of a query.
func (c *conn) stmt(query string) (*sql.Stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	s, err := c.db.PrepareContext(context.Background(), query)
	if err == nil {
		c.stmts[query] = s
	}
	return s, err
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(c.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// script runs several statements, without keeping them prepared.
func (c *conn) script(statements string) error {
	_, err := c.db.ExecContext(c.ctx, statements)
	return err
}

// transact runs a function in a transaction that holds the write lock from the
// start.
func (c *conn) transact(run func() error) error {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := run()
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	if err != nil {
		// Fails if SQLite has rolled back by itself.
		_, _ = c.exec("ROLLBACK")
	}
	return err
}

// until runs a function whose statements are interrupted when ctx ends. A transaction
// that they are part of can only be rolled back then.
func (c *conn) until(ctx context.Context, run func() error) error {
	c.ctx = ctx
	defer func() { c.ctx = context.Background() }()
	err := run()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// collect returns the rows of a query, each read by scan.
func collect[R any](c *conn, scan func(*sql.Rows, *R) error, query string, args ...any) ([]R, error) {
	s, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(c.ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []R
	for rows.Next() {
		var r R
		if err := scan(rows, &r); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// scanOne scans a row of one column.
func scanOne[R any](rows *sql.Rows, r *R) error { return rows.Scan(r) }

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// pool holds a fixed number of connections, each opened when it is first needed. The one
// that was put back last is used next, so that few have their caches filled.
type pool struct {
	open   func() (*conn, error)
	places chan struct{} // one for each connection that is not in use
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	idle []*conn // that are open and not in use
}

func newPool(open func() (*conn, error), size int) *pool {
	p := &pool{open: open, places: make(chan struct{}, size), closed: make(chan struct{})}
	for range size {
		p.places <- struct{}{}
	}
	return p
}

// get waits for a connection. The caller must put it back.
func (p *pool) get(ctx context.Context) (*conn, error) {
	select {
	case <-p.closed:
		return nil, dbfile.ErrClosed
	default:
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, dbfile.ErrClosed
	case <-p.places:
		if c := p.pop(); c != nil {
			return c, nil
		}
		c, err := p.open()
		if err != nil {
			p.places <- struct{}{}
		}
		return c, err
	}
}

// pop returns the connection that was put back last, or nil if none is idle.
func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put puts a connection back. A caller whose connection is unusable closes it and
// puts nil in its place.
func (p *pool) put(c *conn) {
	if c != nil {
		p.mu.Lock()
		p.idle = append(p.idle, c)
		p.mu.Unlock()
	}
	p.places <- struct{}{}
}

// getAll keeps as many connections as it can from being used until ctx ends. It reports
// whether it got all of them. The caller must call release.
func (p *pool) getAll(ctx context.Context) (all bool, release func()) {
	held := 0
	for held < cap(p.places) {
		select {
		case <-p.places:
			held++
			continue
		case <-ctx.Done():
		case <-p.closed:
		}
		break
	}
	return held == cap(p.places), func() {
		for range held {
			p.places <- struct{}{}
		}
	}
}

// close closes the connections as they are put back. After wait it returns, and
// closes the remaining ones in the background.
func (p *pool) close(wait time.Duration) error {
	p.once.Do(func() { close(p.closed) })
	end := time.NewTimer(wait)
	defer end.Stop()
	var errs []error
	for closed := range cap(p.places) {
		select {
		case <-p.places:
			errs = append(errs, p.closeIdle())
		case <-end.C:
			go p.closeRest(cap(p.places) - closed)
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}

// closeIdle closes an idle connection, if there is one.
func (p *pool) closeIdle() error {
	if c := p.pop(); c != nil {
		return c.close()
	}
	return nil
}

// closeRest closes the last n connections. It ends because a snapshot expires.
func (p *pool) closeRest(n int) {
	for range n {
		<-p.places
		_ = p.closeIdle() // its snapshot has nobody to report to
	}
}
