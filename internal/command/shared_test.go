package command_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// slowLog is a log whose loads wait until the test lets them.
type slowLog struct {
	eventstore.Log
	loads   atomic.Int64
	proceed chan struct{}
}

func (l *slowLog) Load(ctx context.Context, id domain.StreamID) ([]eventstore.Event, error) {
	l.loads.Add(1)
	select {
	case <-l.proceed:
		return l.Log.Load(ctx, id)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCallersWhoAskForOneUserShareARead(t *testing.T) {
	for name, leaves := range map[string]bool{"and the first stays": false, "and the first leaves": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ann, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: "ann", Password: secret})
				if err != nil {
					t.Fatal(err)
				}
				log := &slowLog{Log: w.Events, proceed: make(chan struct{})}
				h := &command.Handler{Events: log} // which does not know her yet
				first, leave := context.WithCancel(t.Context())
				defer leave()
				go func() { _, _ = h.User(first, ann.User.ID) }()
				synctest.Wait()
				for range 20 {
					go func() {
						if u, err := h.User(t.Context(), ann.User.ID); err != nil || u.Username != "ann" {
							t.Errorf("got %+v, %v, want ann", u, err)
						}
					}()
				}
				synctest.Wait()
				if got := log.loads.Load(); got != 1 {
					t.Errorf("21 callers began %d reads, want 1", got)
				}
				if leaves {
					leave()
					synctest.Wait()
				}
				close(log.proceed)
				synctest.Wait()
			})
		})
	}
}
