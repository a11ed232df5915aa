package views

import (
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
