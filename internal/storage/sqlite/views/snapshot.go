package views

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

// snapshot implements readmodel.Snapshot as a read transaction on a connection of
// its own. Concurrent reads take turns.
type snapshot struct {
	views      *Store
	generation *generation
	described  readmodel.Generation
	expiry     *time.Timer
	leave      func() // leaves the gate

	mu   sync.Mutex
	conn *conn // nil if closed
}

var errSnapshotClosed = &domain.Error{Kind: domain.Unavailable, Msg: "the reading has taken too long; try again"}

// Snapshot implements readmodel.Store.
func (v *Store) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	leave, err := v.readers.Enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a snapshot: %w", err)
	}
	s, err := v.snapshot(ctx, leave)
	if err != nil {
		leave()
		return nil, err
	}
	return s, nil
}

func (v *Store) snapshot(ctx context.Context, leave func()) (*snapshot, error) {
	g, err := v.serving(false)
	if err != nil {
		return nil, err
	}
	c, err := g.readers.get(ctx)
	if err != nil {
		return nil, dbfile.Translate(ctx, "open a snapshot", err)
	}
	s := &snapshot{views: v, generation: g, conn: c, leave: leave}
	if _, err = c.exec("BEGIN"); err == nil {
		s.described, err = readGeneration(c) // the transaction begins with this read
	}
	if err != nil {
		s.Close()
		v.discardIfDamaged(g, err)
		return nil, dbfile.Translate(ctx, "open a snapshot", err)
	}
	s.expiry = time.AfterFunc(v.limits.snapshotLife, s.end)
	return s, nil
}

// Close implements readmodel.Snapshot.
func (s *snapshot) Close() {
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.end()
}

// end ends the transaction, unless that has happened already, and puts the
// connection back.
func (s *snapshot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	c := s.conn
	s.conn = nil
	if _, err := c.exec("ROLLBACK"); err != nil { // the connection is unusable, whatever the reason
		_ = c.close()
		c = nil
	}
	s.generation.readers.put(c)
	s.leave()
}

// read runs a function with the snapshot's connection.
func (s *snapshot) read(ctx context.Context, op string, f func(*conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if s.conn == nil {
		return errSnapshotClosed
	}
	err := f(s.conn)
	if err != nil {
		s.views.discardIfDamaged(s.generation, err)
	}
	return dbfile.Translate(ctx, op, err)
}

// rows is read for a function that returns rows.
func rows[R any](ctx context.Context, s *snapshot, op string, f func(*conn) (R, error)) (found R, err error) {
	err = s.read(ctx, op, func(c *conn) (err error) {
		found, err = f(c)
		return err
	})
	return found, err
}

// Generation implements readmodel.Snapshot.
func (s *snapshot) Generation() readmodel.Generation { return s.described }

// jsonList returns a list as JSON, the argument of json_each.
func jsonList[E any](list []E) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(list)
	return string(text), err
}
