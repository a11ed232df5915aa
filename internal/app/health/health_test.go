package health_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/app/health"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// failingLog is a log whose appends return an error.
type failingLog struct {
	eventstore.Log
	err error
}

func (l *failingLog) Append(context.Context, eventstore.Append) (eventstore.Commit, error) {
	return eventstore.Commit{}, l.err
}

// failingCredentials are credentials whose writes return an error.
type failingCredentials struct {
	auth.Credentials
	err error
}

func (c *failingCredentials) DeleteCredential(context.Context, domain.UserID) error { return c.err }

func TestWrites(t *testing.T) {
	full := errors.New("the disk is full")
	for name, c := range map[string]struct {
		appends []error
		want    bool
	}{
		"no write":                              {nil, true},
		"one that succeeds":                     {[]error{nil}, true},
		"one that fails":                        {[]error{nil, full}, false},
		"one that fails, and one that does not": {[]error{full, nil}, true},
		"a conflict":                            {[]error{&eventstore.ConflictError{}}, true},
		"one that its caller gave up":           {[]error{context.Canceled}, true},
		"one that is refused":                   {[]error{domain.Errorf(domain.Invalid, "no")}, true},
		"one that was in the way":               {[]error{&domain.Error{Kind: domain.Unavailable, RetryAfter: time.Second}}, true},
		"a store that is away":                  {[]error{&domain.Error{Kind: domain.Unavailable}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := health.NewWrites(nil, slog.New(slog.DiscardHandler))
			log := &failingLog{}
			observed := w.Log(log)
			for _, log.err = range c.appends {
				_, _ = observed.Append(t.Context(), eventstore.Append{})
			}
			if got := w.Problems(); len(got) == 0 != c.want || !c.want && !strings.HasPrefix(got[0], "the store has taken no append since ") {
				t.Errorf("got the problems %q, want none: %t", got, c.want)
			}
		})
	}
}

func TestProbeEndsAnOutageAfterAQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		w := health.NewWrites(func(context.Context) error {
			if broken.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		go func() { _ = w.Run(t.Context()) }()
		c := w.Credentials(&failingCredentials{err: errors.New("the disk is full")})
		_ = c.DeleteCredential(t.Context(), "")
		want := func(when string, problems int) {
			t.Helper()
			synctest.Wait()
			if got := w.Problems(); len(got) != problems {
				t.Errorf("%s: got the problems %q, want %d", when, got, problems)
			}
		}
		time.Sleep(time.Minute)
		want("while probes fail", 1)
		broken.Store(false)
		_ = c.DeleteCredential(t.Context(), "")
		time.Sleep(3 * time.Second)
		want("soon after a write failed", 1)
		time.Sleep(4 * time.Second)
		want("after a quiet time", 0)
	})
}

func TestLag(t *testing.T) {
	var l health.Lag
	if due, err := l.Views(); due != 0 || err != nil || l.Pushes() != 0 {
		t.Errorf("without samples: got %d, error %v and %d, want 0", due, err, l.Pushes())
	}
	var views, pushes []domain.Position
	for i := range domain.Position(13) {
		l.Observe(100+i, 50+i, nil)
		due, err := l.Views()
		if err != nil {
			t.Fatal(err)
		}
		views, pushes = append(views, due), append(pushes, l.Pushes())
	}
	if want := []domain.Position{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 101, 102, 103}; !slices.Equal(views, want) {
		t.Errorf("the views must have reached %v, want %v", views, want)
	}
	if want := []domain.Position{0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 51, 52, 53}; !slices.Equal(pushes, want) {
		t.Errorf("pushes must have reached %v, want %v", pushes, want)
	}
	away := errors.New("the store is away")
	l.Observe(0, 60, away)
	if due, err := l.Views(); due != 103 || !errors.Is(err, away) {
		t.Errorf("after an error: got %d and %v, want 103 and the error", due, err)
	}
}
