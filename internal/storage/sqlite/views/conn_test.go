package views

import (
	"database/sql"
	"errors"
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
