package views

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"chirp/internal/storage/sqlite/dbfile"
)

// conn is a connection with its prepared statements, for one goroutine at
// a time. Its calls take no context: each is short, and a statement that is
// interrupted would cost the connection.
type conn struct {
	db    *sql.Conn
	stmts map[string]*sql.Stmt
}

func newConn(db *sql.DB) (*conn, error) {
	c, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{db: c, stmts: make(map[string]*sql.Stmt)}, nil
}

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

// exec runs a statement and gives how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// script runs statements one after the other, and keeps none of them.
func (c *conn) script(statements string) error {
	_, err := c.db.ExecContext(context.Background(), statements)
	return err
}

// transact runs a function in a transaction that has the write lock from the
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
		// Without effect if SQLite has rolled back already.
		_, _ = c.exec("ROLLBACK")
	}
	return err
}

// collect gives the rows of a query, each as scan reads it.
func collect[R any](c *conn, scan func(*sql.Rows, *R) error, query string, args ...any) ([]R, error) {
	s, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	rows, err := s.Query(args...)
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

// scanOne reads a row of one column.
func scanOne[R any](rows *sql.Rows, r *R) error { return rows.Scan(r) }

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// pool holds connections, made on demand, up to a number.
type pool struct {
	open   func() (*conn, error)
	slots  chan *conn // nil stands for one that is not made yet
	closed chan struct{}
	once   sync.Once
}

func newPool(open func() (*conn, error), size int) *pool {
	p := &pool{open: open, slots: make(chan *conn, size), closed: make(chan struct{})}
	for range size {
		p.slots <- nil
	}
	return p
}

// take waits for a connection, which is to be given back.
func (p *pool) take(ctx context.Context) (*conn, error) {
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
	case c := <-p.slots:
		if c != nil {
			return c, nil
		}
		c, err := p.open()
		if err != nil {
			p.slots <- nil
		}
		return c, err
	}
}

// give takes a connection back; nil takes the place of one that is not fit
// for further use.
func (p *pool) give(c *conn) { p.slots <- c }

// takeAll takes as many connections as it can until ctx ends. It says whether
// that was all, and gives the function that gives them back.
func (p *pool) takeAll(ctx context.Context) (all bool, release func()) {
	var held []*conn
	for range cap(p.slots) {
		select {
		case c := <-p.slots:
			held = append(held, c)
			continue
		case <-ctx.Done():
		case <-p.closed:
		}
		break
	}
	return len(held) == cap(p.slots), func() {
		for _, c := range held {
			p.slots <- c
		}
	}
}

// close closes the connections as they are given back, those that are kept
// longer than it waits with their snapshot.
func (p *pool) close(wait time.Duration) error {
	p.once.Do(func() { close(p.closed) })
	end := time.NewTimer(wait)
	defer end.Stop()
	var errs []error
	for range cap(p.slots) {
		select {
		case c := <-p.slots:
			if c != nil {
				errs = append(errs, c.close())
			}
		case <-end.C:
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
