package auth

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/domain"
)

const victim = domain.UserID("user_victim")

// guessesAt returns Guesses with a clock that the test sets.
func guessesAt(now *time.Time) *Guesses {
	*now = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	return NewGuesses(func() time.Time { return *now })
}

// from4 and from6 return the networks of an address, as network.Of does.
func from4(n int) []string {
	return []string{fmt.Sprintf("198.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
}

func from6(company, household, network int) []string {
	return []string{
		fmt.Sprintf("2001:db8:%x:%02x%02x::/64", company, household, network),
		fmt.Sprintf("2001:db8:%x:%02x00::/56", company, household),
		fmt.Sprintf("2001:db8:%x::/48", company),
	}
}

// try makes an attempt and returns how long it must wait, 0 if it was made.
func try(t testing.TB, g *Guesses, a attempt, o outcome) time.Duration {
	t.Helper()
	settle, err := g.begin(a)
	if err != nil {
		return waitOf(t, err)
	}
	settle(o)
	return 0
}

func waitOf(t testing.TB, err error) time.Duration {
	t.Helper()
	var refused *domain.Error
	if !errors.As(err, &refused) || refused.Kind != domain.RateLimited || refused.RetryAfter <= 0 {
		t.Fatalf("got error %v, want kind RateLimited and when to try again", err)
	}
	return refused.RetryAfter
}

// guessesInADay returns how many wrong passwords can be tried in a day. Whoever must
// wait waits exactly as long, and next returns the next attempt.
func guessesInADay(t testing.TB, next func(i int) attempt) (tried int) {
	t.Helper()
	var now time.Time
	g := guessesAt(&now)
	end := now.Add(24 * time.Hour)
	for i := 0; now.Before(end); i++ {
		if wait := try(t, g, next(i), wrong); wait > 0 {
			now = now.Add(wait)
		} else {
			tried++
		}
	}
	return tried
}

// TestGuessingIsSlow states how many passwords can be tried in a day.
func TestGuessingIsSlow(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
		next func(i int) attempt
	}{
		{"one account from one address", 110, func(int) attempt { return attempt{account: victim, networks: from4(1)} }},
		{"one account from any number of addresses", 135, func(i int) attempt { return attempt{account: victim, networks: from4(i)} }},
		{"one account from the networks of a household", 115, func(i int) attempt {
			return attempt{account: victim, networks: from6(1, 1, i%256)}
		}},
		{"one account from the households of a company", 115, func(i int) attempt {
			return attempt{account: victim, networks: from6(1, i%256, i%256)}
		}},
		{"one account from the owner's own address", 110, func(int) attempt {
			return attempt{account: victim, networks: from4(1), known: true}
		}},
		{"any number of accounts from one address", 400, func(i int) attempt {
			return attempt{account: domain.UserID(fmt.Sprint("user_", i)), networks: from4(1)}
		}},
		{"any number of accounts from the networks of a household", 4 * 400, func(i int) attempt {
			return attempt{account: domain.UserID(fmt.Sprint("user_", i)), networks: from6(1, 1, i%256)}
		}},
		{"any number of accounts from the networks of a company", 16 * 400, func(i int) attempt {
			return attempt{account: domain.UserID(fmt.Sprint("user_", i)), networks: from6(1, i%256, i%256)}
		}},
		{"names that no user can have", 400, func(int) attempt { return attempt{account: noUser, networks: from4(1)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tried := guessesInADay(t, c.next)
			if tried > c.most || tried < c.most/2 {
				t.Errorf("%d passwords could be tried in a day, want little less than %d", tried, c.most)
			}
			t.Logf("%d a day", tried)
		})
	}
}

func TestDelaysGrow(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	var waits []time.Duration
	for range 18 {
		a := attempt{account: victim, networks: from4(1), known: true}
		if wait := try(t, g, a, wrong); wait > 0 {
			t.Fatalf("must wait %v longer than it was told", wait)
		}
		var wait time.Duration
		if err := g.check(a); err != nil {
			wait = waitOf(t, err)
		}
		waits = append(waits, wait)
		now = now.Add(wait)
	}
	want := "[0s 0s 0s 0s 0s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s 15m0s 15m0s 15m0s]"
	if got := fmt.Sprint(waits); got != want {
		t.Errorf("waits %s, want %s", got, want)
	}
	now = now.Add(15 * time.Hour)
	for range 5 {
		if wait := try(t, g, attempt{account: victim, networks: from4(1), known: true}, wrong); wait > 0 {
			t.Fatalf("15 hours later the wait is %v, want the failures forgotten", wait)
		}
	}
}

// TestStrangersDoNotLockOutTheOwner has five addresses guess for an hour, and the
// owner log in meanwhile.
func TestStrangersDoNotLockOutTheOwner(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	home := attempt{account: victim, networks: from4(100), known: true}
	for range 3600 {
		for i := range 5 {
			try(t, g, attempt{account: victim, networks: from4(i)}, wrong)
		}
		if wait := try(t, g, home, right); wait > 0 {
			t.Fatalf("the owner must wait %v", wait)
		}
		now = now.Add(time.Second)
	}
	if wait := try(t, g, attempt{account: victim, networks: from4(101)}, right); wait == 0 {
		t.Error("a new network was let in during an attack, want it to wait")
	}
	if wait := try(t, g, attempt{account: "user_other", networks: from4(101)}, right); wait > 0 {
		t.Errorf("another account must wait %v", wait)
	}
}

// TestNeighborsDoNotLockOutTheOwner guesses from the rest of the owner's household
// and company.
func TestNeighborsDoNotLockOutTheOwner(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	for i := range 10_000 {
		try(t, g, attempt{account: victim, networks: from6(1, 1+i/16%200, i%16)}, wrong)
	}
	if wait := try(t, g, attempt{account: victim, networks: from6(1, 1, 99), known: true}, right); wait > 0 {
		t.Errorf("the owner must wait %v", wait)
	}
}

func TestRightPasswordsCostNothing(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	for i := range 1000 { // of all users of an office, at once
		a := attempt{account: domain.UserID(fmt.Sprint("user_", i%200)), networks: from4(1)}
		if wait := try(t, g, a, right); wait > 0 {
			t.Fatalf("log-in %d must wait %v", i, wait)
		}
	}
	if got := g.kept(); got != 0 {
		t.Errorf("%d counts are kept, want none", got)
	}
	mistyped := attempt{account: victim, networks: from4(1)}
	for range 10 { // times, four mistyped ones and a right one
		for _, o := range []outcome{wrong, wrong, wrong, wrong, void, right} {
			if wait := try(t, g, mistyped, o); wait > 0 {
				t.Fatalf("after few wrong passwords the wait is %v", wait)
			}
		}
		now = now.Add(6 * time.Hour)
	}
}

// kept returns how many counts there are.
func (g *Guesses) kept() int {
	return g.pairs.byKey.Len() + g.networks.byKey.Len() + g.accounts.byKey.Len()
}

func TestAnOfficeMayMistypeAHundredPasswords(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	for i := range 200 {
		a := attempt{account: domain.UserID(fmt.Sprint("user_", i)), networks: from4(1)}
		if wait := try(t, g, a, outcome(i%2)); wait > 0 {
			t.Fatalf("user %d must wait %v", i, wait)
		}
	}
	for i := range 200 { // and one program that never stops does not keep out who is known
		try(t, g, attempt{account: "user_program", networks: from4(1)}, wrong)
		if wait := try(t, g, attempt{account: domain.UserID(fmt.Sprint("user_", i)), networks: from4(1), known: true}, right); wait > 0 {
			t.Fatalf("user %d must wait %v", i, wait)
		}
	}
}

// TestAttemptsAtOnceAreCountedEach begins attempts before any has ended.
func TestAttemptsAtOnceAreCountedEach(t *testing.T) {
	g := NewGuesses(time.Now)
	var begun atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			a := attempt{account: victim, networks: from6(1, 1, 1)}
			if g.check(a) != nil {
				return
			}
			if settle, err := g.begin(a); err == nil {
				begun.Add(1)
				defer settle(wrong)
				time.Sleep(time.Millisecond)
			}
		})
	}
	all.Wait()
	if got := begun.Load(); got != int64(perPair.free)+1 {
		t.Errorf("%d of 100 attempts at once were made, want %d", got, perPair.free+1)
	}
}

func TestSettlingTakesBackOneFailureOnly(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	a := attempt{account: victim, networks: from4(1)}
	first, _ := g.begin(a)
	second, _ := g.begin(a)
	first(void)
	second(wrong)
	for range 4 {
		if wait := try(t, g, a, wrong); wait > 0 {
			t.Fatalf("must wait %v after fewer than 6 wrong ones", wait)
		}
	}
	if try(t, g, a, wrong); g.check(a) == nil {
		t.Error("6 wrong passwords make no one wait")
	}
}

// TestCountsAreBounded fails from more networks, at more accounts, than are counted.
func TestCountsAreBounded(t *testing.T) {
	var now time.Time
	g := guessesAt(&now)
	before := heapInUse()
	for i := range maxCounts + 1000 {
		a := attempt{account: domain.UserID(fmt.Sprintf("user_%026d", i)), networks: from6(i, 1, 1)}
		g.keepRefusal(a, tooSoon(time.Minute))
		try(t, g, a, wrong)
	}
	grown := heapInUse() - before
	if got := g.kept() + g.refusals.Len(); got != 4*maxCounts {
		t.Errorf("%d counts and refusals are kept, want %d of each kind", got, maxCounts)
	}
	if grown > 32<<20 {
		t.Errorf("they take %d MiB, want at most 32", grown>>20)
	}
	t.Logf("%d counts take %d kB", g.kept(), grown>>10)
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
