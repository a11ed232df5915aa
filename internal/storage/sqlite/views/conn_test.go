package views

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestClosedPoolClosesConnectionsThatArePutBackLate(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		v := openTestStore(t, dir, Options{Exclusive: true})
		serveViews(t, v)
		g := v.current
		p := newPool(func() (*conn, error) { return g.connect(g.reads) }, 2)
		late, err := p.get(t.Context())
		wantNil(t, err)
		wantNil(t, p.close(time.Second))
		if _, err := late.exec("BEGIN"); err != nil {
			t.Errorf("a connection that is in use: got %v, want no error", err)
		}
		p.put(late)
		synctest.Wait()
		if err := late.db.PingContext(t.Context()); !errors.Is(err, sql.ErrConnDone) {
			t.Errorf("a connection that was put back: got %v, want that it is closed", err)
		}
	})
}

// Connections that are not needed must not fill their caches.
func TestPoolUsesTheConnectionThatWasPutBackLast(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	p := newPool(func() (*conn, error) { return v.current.connect(v.current.reads) }, 3)
	first, err := p.get(t.Context())
	wantNil(t, err)
	second, err := p.get(t.Context())
	wantNil(t, err)
	p.put(first)
	p.put(second)
	for range 3 {
		c, err := p.get(t.Context())
		wantNil(t, err)
		if c != second {
			t.Errorf("got another connection than the one that was put back last")
		}
		p.put(c)
	}
	wantNil(t, p.close(time.Second))
}

func TestCacheSizeIsDividedAmongTheSnapshots(t *testing.T) {
	dir := t.TempDir()
	serveViews(t, openTestStore(t, dir, Options{Exclusive: true}))
	for bytes, want := range map[int64]int64{0: -8192, 20 << 20: -1024, 1: -256} {
		v, err := Open(t.Context(), dir, endlessLog, Options{CacheBytes: bytes, Log: slog.New(slog.DiscardHandler)})
		wantNil(t, err)
		s, err := v.Snapshot(t.Context())
		wantNil(t, err)
		got, err := onlyRow(collect(s.(*snapshot).conn, scanOne[int64], "PRAGMA cache_size"))
		if err != nil || got != want {
			t.Errorf("with %d bytes: got a page cache of %d, error %v; want %d", bytes, got, err, want)
		}
		s.Close()
		wantNil(t, v.Close())
	}
}

func TestStatementsAreInterruptedWhenTheirContextEnds(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	wantNil(t, v.current.withWriter(func(c *conn) error {
		for name, run := range map[string]func() error{
			"exec": func() error {
				_, err := c.exec("INSERT INTO volumes WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 7, count(*), 0 FROM n")
				return err
			},
			"script": func() error {
				return c.script("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO volumes SELECT 8, count(*), 0 FROM n")
			},
			"collect": func() error {
				_, err := collect(c, scanOne[int], "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			err := c.transact(func() error {
				if _, err := c.exec("INSERT INTO volumes VALUES (9, 9, 9)"); err != nil {
					return err
				}
				return c.until(ctx, run)
			})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s without end: got %v, want that the deadline is exceeded", name, err)
			}
			left, err := collect(c, scanOne[int], "SELECT count(*) FROM volumes WHERE start = 9")
			if err != nil || left[0] != 0 {
				t.Errorf("after %s: got %d rows of the transaction, %v, want none", name, left, err)
			}
		}
		return nil
	}))
}
