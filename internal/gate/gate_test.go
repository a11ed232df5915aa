package gate_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/gate"
)

func TestACallerThatFindsNoPlaceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("test", 2, 1)
		enter(t, g, t.Context())
		leave := enter(t, g, t.Context())
		begun := time.Now()
		_, err := g.Enter(t.Context())
		if domain.KindOf(err) != domain.Unavailable || time.Since(begun) != gate.Patience {
			t.Errorf("with no place left: got %v after %s, want kind Unavailable after %s", err, time.Since(begun), gate.Patience)
		}
		if got, want := g.Stats(), (gate.Stats{Name: "test", Places: 3, Inside: 2, Refused: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		time.AfterFunc(time.Second, leave)
		enter(t, g, t.Context())()
		leave() // again
		if got := g.Stats().Inside; got != 1 {
			t.Errorf("%d are inside, want 1", got)
		}
	})
}

func TestTheServersOwnWorkHasPlacesReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("test", 1, 1)
		enter(t, g, t.Context())
		leave := enter(t, g, gate.Own(t.Context()))
		if _, err := g.Enter(gate.Own(t.Context())); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("with the reserve taken: got %v, want kind Unavailable", err)
		}
		leave()
		if _, err := g.Enter(t.Context()); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a client in place of the server: got %v, want kind Unavailable", err)
		}
	})
}

func TestACallerThatGoesIsNotCountedAsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("test", 1, 0)
		enter(t, g, t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := g.Enter(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want Canceled", err)
			}
		})
		synctest.Wait()
		if got := g.Stats().Waiting; got != 1 {
			t.Errorf("%d are waiting, want 1", got)
		}
		cancel()
		waiting.Wait()
		if got := g.Stats(); got.Waiting != 0 || got.Refused != 0 {
			t.Errorf("got %+v, want none waiting and none refused", got)
		}
	})
}

// enter takes a place, which must be free.
func enter(t *testing.T, g *gate.Gate, ctx context.Context, keys ...string) (leave func()) {
	t.Helper()
	leave, err := g.Enter(ctx, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}
