package guard

import (
	"fmt"
	"testing"
	"time"
)

func TestTheLeastRecentCallerLosesItsBucket(t *testing.T) {
	b, now := newBuckets(0.1, burstSeconds), time.Now()
	take := func(name string) bool { return b.take(name, 1, now) == 0 }
	if !take("first") || take("first") {
		t.Fatal("a bucket of one gave none or two")
	}
	for i := range maxBuckets {
		take(fmt.Sprint(i))
	}
	if b.byName.Len() != maxBuckets {
		t.Errorf("%d buckets are kept, want %d", b.byName.Len(), maxBuckets)
	}
	if !take("first") {
		t.Error("the first caller is remembered, want it forgotten")
	}
	if take(fmt.Sprint(maxBuckets - 1)) {
		t.Error("the last caller was forgotten")
	}
	if wait := b.take("first", 1, now.Add(4*time.Second)).Round(time.Millisecond); wait != 6*time.Second {
		t.Errorf("4 s later the wait is %v, want 6s", wait)
	}
}

// Rates are floating-point numbers, and what was set is a whole one.
func TestBurstsAreWhatWasSet(t *testing.T) {
	now := time.Now()
	for _, perDay := range []int{1, 3, 11, 22, 29, 300, 1_000} {
		l := newRegistrationLimiter(2, perDay, func() time.Time { return now })
		for i, share := range []int{4, 8, 16} {
			if got, want := l.accounts.networks[i].burst, perDay*share/4; got != want {
				t.Errorf("%d a day and address: networks of kind %d may make %d, want %d", perDay, i, got, want)
			}
		}
	}
	for perSecond, want := range map[float64]int{0.1: 1, 1: 1, 2: 3, 3: 4, 20: 30} {
		if got := newRegistrationLimiter(perSecond, 0, time.Now).attempts.burst; got != want {
			t.Errorf("at a rate of %v, %d attempts are allowed at once, want %d", perSecond, got, want)
		}
	}
}

// A caller that tries again and again is served when it was told that it would be.
func TestManyRefusalsDoNotDelayWhatComesNext(t *testing.T) {
	for _, perSecond := range []float64{0.1, 0.3, 2, 7, 300.0 / (24 * 60 * 60)} {
		b, now := newBuckets(perSecond, 1/perSecond), time.Now()
		b.take("ada", 1, now)
		wait := b.take("ada", 1, now)
		for i := range time.Duration(10) {
			b.take("ada", 1, now.Add(i*wait/10))
		}
		if wait := b.take("ada", 1, now.Add(wait)); wait > 0 {
			t.Errorf("%v a second: the wait is %s more, want none", perSecond, wait)
		}
	}
}
