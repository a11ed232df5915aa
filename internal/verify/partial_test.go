package verify_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
	"chirp/internal/verify"
)

// halfway are views that refuse the last part of every event that is applied in
// parts.
type halfway struct {
	readmodel.Store
	reached chan struct{} // closed when they first do
	once    *sync.Once
}

type halfwayWriter struct {
	readmodel.Writer
	halfway
}

func (v halfway) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := v.Store.Serving(ctx, epoch, threshold)
	return halfwayWriter{w, v}, err
}

func (w halfwayWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	if b.From.Partial != 0 && b.To.Partial == 0 {
		w.once.Do(func() { close(w.reached) })
		return errors.New("refused")
	}
	return w.Writer.Apply(ctx, b)
}

// projectHalfway projects until the views have applied all but the last part of an
// event.
func projectHalfway(t testing.TB, log eventstore.Log, views readmodel.Store, threshold int64) {
	t.Helper()
	h := halfway{views, make(chan struct{}), &sync.Once{}}
	p := projector.New(projector.Config{Log: log, Views: h, Threshold: threshold, MaxEvents: 100, MaxDeliveries: 2, Backfill: 2})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	select {
	case <-h.reached:
	case <-time.After(time.Minute):
		t.Error("no event was applied in parts within a minute")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// halves are histories whose last event is applied in parts. Verification must allow
// for that and still report damage.
var halves = []struct {
	name      string
	threshold int64
	write     func(testing.TB, *writer)
	event     string
	damage    string // for SQLite only
	want      string
}{
	{"a cleanup after a split", 100, func(t testing.TB, w *writer) {
		w.register(t, "ann", "bob")
		for range 6 {
			w.post(t, 0, "hello") // 5 to 10
		}
		w.follow(t, 1, 0) // skips 5 to 8
		w.post(t, 0, "hello")
		w.unfollow(t, 1, 0)
	}, "13 (user.unfollowed.v1)", "DELETE FROM timeline WHERE position = 12", "timeline entry 12 of @bob (user 3): want there, got missing"},
	{"a cleanup", 100, func(t testing.TB, w *writer) {
		w.register(t, "ann", "bob")
		w.follow(t, 1, 0)
		for range 5 {
			w.post(t, 0, "hello") // 6 to 10
		}
		w.unfollow(t, 1, 0)
	}, "11 (user.unfollowed.v1)", "DELETE FROM timeline WHERE position = 10", "timeline entry 10 of @bob (user 3): want there, got missing"},
	{"a fan-out", 100, func(t testing.TB, w *writer) {
		w.register(t, "ann", "bob", "cid", "dan", "eve")
		for u := range 4 {
			w.follow(t, u+1, 0) // 11 to 14
		}
		w.post(t, 0, "hello")
	}, "15 (chirp.posted.v1)", "UPDATE follows SET pull = 1 WHERE since = 11", "want user 3 follows user 1, got user 3 follows user 1, a pull source"},
	{"marks", threshold, func(t testing.TB, w *writer) {
		w.register(t, "ann", "bob", "cid", "dan", "eve")
		for u := range 4 {
			w.follow(t, u+1, 0)
		}
		w.post(t, 0, "hello")
	}, "15 (chirp.posted.v1)", "UPDATE follows SET pull = 0 WHERE since = 11", "want user 3 follows user 1, a pull source, got user 3 follows user 1"},
}

func TestAnEventAppliedInPartIsNoDifferenceButDamageIs(t *testing.T) {
	for _, k := range kinds {
		for _, h := range halves {
			t.Run(k.name+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				s, p := k.open(t)
				h.write(t, newWriter(s.Log()))
				projectHalfway(t, s.Log(), s.Views(), h.threshold)
				sum, lines := found(t, verify.Config{Log: s.Log(), Views: s.Views()})
				if len(lines) > 0 || sum.Partial != h.event {
					t.Errorf("got the partial event %q and the differences\n%s\nwant %q and none", sum.Partial, strings.Join(lines, "\n"), h.event)
				}
				if p.dir == "" {
					return
				}
				execute(t, p, "views-1.db", h.damage)
				_, lines = found(t, verify.Config{Log: s.Log(), Views: s.Views()})
				if all := strings.Join(lines, "\n"); !strings.Contains(all, h.want) {
					t.Errorf("got the differences %q, want %q among them", all, h.want)
				}
			})
		}
	}
}
