package guard

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// office returns a budget of 400 a second for an address whose tokens are used up, and
// 100 for each caller.
func office() *Budget {
	b := newBudget(100, 5, time.Now)
	b.networks[0].charge("192.0.2.1", b.networks[0].burst, time.Now())
	return b
}

// In an office cheap calls take whatever comes, and an expensive one waits.
func TestCheapCallsLeaveExpensiveOnesTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := office()
		ctx, stop := context.WithCancel(t.Context())
		served := 0
		var cheap sync.WaitGroup
		cheap.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				for b.Take(from(fmt.Sprint("user", i%100), "192.0.2.1"), 1) == 0 {
					served++
				}
				time.Sleep(time.Millisecond)
			}
		})
		begun := time.Now()
		for range 3 {
			waiting, giveUp := context.WithTimeout(from("ada", "192.0.2.1"), time.Minute)
			if err := b.Wait(waiting, 250); err != nil {
				t.Errorf("an expensive call: %v", err)
			}
			giveUp()
		}
		took := time.Since(begun)
		stop()
		cheap.Wait()
		if took > 5*time.Second { // for 750, at half of 400 a second
			t.Errorf("three calls of 250 waited %s, want at most 5s", took)
		}
		if share := float64(served) / took.Seconds(); share < 150 {
			t.Errorf("the cheap calls got %.0f a second, want about 200", share)
		}
	})
}

// Those that need many tokens take a few at a time, in turns with the others.
func TestExpensiveCallsDoNotDelayCheapOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := office()
		var expensive sync.WaitGroup
		begun := time.Now()
		for i := range 50 {
			expensive.Go(func() {
				if err := b.Wait(from(fmt.Sprint("user", i), "192.0.2.1"), 240); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := b.Wait(from("ada", "192.0.2.1"), 4); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("a call of 4 waited %s behind 50 of 240, want less than 2s", took)
		}
		expensive.Wait()
		if took := time.Since(begun).Round(time.Second); took < 29*time.Second || took > 32*time.Second {
			t.Errorf("12,000 tokens at 400 a second took %s, want 30s", took)
		}
	})
}

// The debts that others at an address make are not those of one that waits.
func TestDebtsOfOthersDoNotDelayThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := office()
		ctx, stop := context.WithCancel(t.Context())
		var refused sync.WaitGroup
		refused.Go(func() {
			for ctx.Err() == nil {
				b.chargeShared(from("bob", "192.0.2.1"), 10)
				time.Sleep(5 * time.Millisecond)
			}
		})
		begun := time.Now()
		waiting, giveUp := context.WithTimeout(from("ada", "192.0.2.1"), time.Minute)
		defer giveUp()
		if err := b.Wait(waiting, 100); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("a call of 100 waited %s, want half a second", took)
		}
		stop()
		refused.Wait()
	})
}

func TestWhoGivesUpWaitingGetsItsTokensBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := office()
		var waits sync.WaitGroup
		for i := range 10 {
			waits.Go(func() {
				ctx, giveUp := context.WithTimeout(from(fmt.Sprint("user", i), "192.0.2.1"), 500*time.Millisecond)
				defer giveUp()
				if err := b.Wait(ctx, 240); err == nil {
					t.Error("2,400 tokens came in half a second")
				}
			})
		}
		waits.Wait()
		if left := b.networks[0].left("192.0.2.1", time.Now()); left < 199 || left > 201 {
			t.Errorf("the address has %d tokens, want all 200 that came", left)
		}
		time.Sleep(time.Second)
		if left := b.networks[0].left("192.0.2.1", time.Now()); left < 599 || left > 601 {
			t.Errorf("a second later the address has %d tokens, want 400 more", left)
		}
		for i := range 10 {
			if left := b.callers.left(fmt.Sprint("user", i), time.Now()); left != 500 {
				t.Errorf("user %d has %d tokens, want 500", i, left)
			}
		}
		for _, of := range append(b.networks[:], b.callers) {
			if of.waiting.Len() != 0 {
				t.Errorf("%d queues are left, want none", of.waiting.Len())
			}
		}
	})
}

// All addresses of a network take turns at what they share.
func TestAddressesTakeTurnsAtTheirNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, 5, time.Now)
		ctx := from("ada", "2001:db8::1")
		for i, p := range b.payers(ctx)[1:] {
			if i > 0 {
				p.charge(p.name, p.burst, time.Now())
			}
		}
		var flood sync.WaitGroup
		flooding, stop := context.WithCancel(context.Background())
		for i := range 200 {
			flood.Go(func() {
				other := from(fmt.Sprint("user", i), "2001:db8:0:1::1")
				stopped, cancel := context.WithCancel(other)
				defer cancel()
				defer context.AfterFunc(flooding, cancel)()
				for b.Wait(stopped, 100) == nil {
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		if err := b.Wait(ctx, 100); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("a caller at another address waited %s, want half of what comes for it", took)
		}
		stop()
		flood.Wait()
	})
}
