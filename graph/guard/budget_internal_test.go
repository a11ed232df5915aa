package guard

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/network"
)

// from returns the context of a user who calls from an address.
func from(user, ip string) context.Context {
	ctx := request.With(context.Background(), request.Info{Networks: network.Of(ip)})
	return auth.WithCaller(ctx, domain.UserID(user))
}

// fixed returns a clock that stands still until the test moves it.
func fixed() (now func() time.Time, move func(time.Duration)) {
	at := time.Now()
	return func() time.Time { return at }, func(d time.Duration) { at = at.Add(d) }
}

func TestUsersOfOneAddressShareItsBudget(t *testing.T) {
	now, move := fixed()
	b := newBudget(2, 5, now) // bursts of 10 per user and 40 per address
	served := 0
	for i := range 10 {
		for range 10 {
			if b.Take(from(fmt.Sprint("user", i), "192.0.2.1"), 1) == 0 {
				served++
			}
		}
	}
	if served != 40 {
		t.Errorf("of 100 calls by 10 users at one address %d were served, want 40", served)
	}
	if wait := b.Take(from("user0", "192.0.2.2"), 1); wait == 0 {
		t.Error("a user who has nothing left was served at another address")
	}
	if wait := b.Take(from("user9", "192.0.2.2"), 10); wait != 0 {
		t.Errorf("a user who was refused because of the address must wait %s at another one, want no wait", wait)
	}
	move(time.Second)
	if wait := b.Take(from("user8", "192.0.2.1"), 9); wait != 125*time.Millisecond {
		t.Errorf("the wait for 9 when the address has 8 is %s, want 125ms", wait)
	}
}

func TestWiderNetworksHaveWiderBudgets(t *testing.T) {
	now, _ := fixed()
	b := newBudget(2, 5, now)
	for name, c := range map[string]struct {
		ip   func(i int) string
		want int
	}{
		"a /64": {func(i int) string { return fmt.Sprintf("2001:db8:1::%x", i) }, 40},
		"a /56": {func(i int) string { return fmt.Sprintf("2001:db8:2:%x::1", i) }, 80},
		"a /48": {func(i int) string { return fmt.Sprintf("2001:db8:3:%x00::1", i) }, 160},
	} {
		served := 0
		for i := range 255 {
			if b.Take(from(fmt.Sprint(name, i), c.ip(i)), 1) == 0 {
				served++
			}
		}
		if served != c.want {
			t.Errorf("%s: of 255 users %d were served, want %d", name, served, c.want)
		}
	}
}

func TestAChargeIsPaidLater(t *testing.T) {
	now, move := fixed()
	b := newBudget(2, 5, now)
	ctx := from("ada", "192.0.2.1")
	b.Charge(ctx, 14)
	if wait := b.Take(ctx, 1); wait != 2500*time.Millisecond {
		t.Errorf("with a debt of 4 the wait for 1 is %s, want 2.5s", wait)
	}
	if wait := b.Take(from("bob", "192.0.2.1"), 10); wait != 0 {
		t.Errorf("another user at the address waits %s", wait)
	}
	b.Charge(ctx, 1_000_000)
	move(maxDebt)
	if wait := b.Take(ctx, 1); wait != 500*time.Millisecond {
		t.Errorf("after a minute the wait for 1 is %s, want 500ms", wait)
	}
}

func TestWaitsEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(2, 5, time.Now)
		ctx := from("ada", "192.0.2.1")
		b.Take(ctx, 10)
		var mu sync.Mutex
		var order []int
		var waits sync.WaitGroup
		begun := time.Now()
		for i, n := range []int{8, 1, 3} {
			waits.Go(func() {
				if err := b.Wait(ctx, n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		gone, leave := context.WithCancel(ctx)
		waits.Go(func() {
			if err := b.Wait(gone, 1); err == nil {
				t.Error("a wait that was canceled returned no error")
			}
		})
		synctest.Wait()
		leave()
		waits.Wait()
		if took := time.Since(begun).Round(time.Millisecond); !slices.Equal(order, []int{0, 1, 2}) || took != 6*time.Second {
			t.Errorf("waits ended in the order %v after %s, want [0 1 2] after 6s", order, took)
		}
		if left := b.callers.waiting.Len(); left != 0 {
			t.Errorf("%d queues are left, want none", left)
		}
	})
}
