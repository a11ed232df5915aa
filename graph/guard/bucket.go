package guard

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"chirp/internal/gate"
)

// maxBuckets bounds how many buckets of one kind there are. The one that was used
// longest ago is forgotten first; by then it is most likely full.
const maxBuckets = 20_000

// maxDebt is how long a bucket may take to come out of debt.
const maxDebt = time.Minute

// rounding is what may be missing from a whole token because rates are floating-point
// numbers: 11 a day, for example, or what has come in many small steps.
const rounding = 1e-6

// buckets has a token bucket for each name. A bucket is refilled at a rate up to a
// burst. It may be in debt, which is a negative number of tokens.
type buckets struct {
	perSecond float64
	burst     int
	waiting   gate.Queues[string] // of the calls that wait for a name's bucket

	mu     sync.Mutex // guards byName, and its buckets
	byName *simplelru.LRU[string, *bucket]
}

// bucket is the number of tokens at a time.
type bucket struct {
	tokens float64
	at     time.Time
	// saved are further tokens, for the call whose turn it is to wait for the bucket.
	// While saving is set, they get half of what comes.
	saved  float64
	saving bool
}

// newBuckets returns buckets that are refilled at a rate, up to some seconds' worth
// and at least one token.
func newBuckets(perSecond, seconds float64) *buckets {
	byName, _ := simplelru.NewLRU[string, *bucket](maxBuckets, nil) // fails only for a size of 0
	return &buckets{perSecond: perSecond, burst: max(1, int(seconds*perSecond+rounding)), byName: byName}
}

// take takes n tokens from a bucket, at most as many as it can hold. If there are
// fewer it takes none, and returns how long it takes to refill. A bucket that is half
// full has enough for any n, and is in debt afterwards: if it had to be full, a
// caller that keeps trying would never get there.
func (b *buckets) take(name string, n int, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.refilled(name, now)
	if missing := float64(min(n, max(1, b.burst/2))) - got.tokens; missing > rounding {
		return time.Duration(math.Ceil(missing / b.perSecond * float64(time.Second)))
	}
	got.tokens -= float64(min(n, b.burst))
	return 0
}

// takeSaved takes n tokens from a bucket for the call whose turn it is to wait for it,
// first those that are saved. If there are fewer it saves, and returns for how long to
// wait at least. The debts of others don't concern tokens that are saved.
func (b *buckets) takeSaved(name string, n int, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.refilled(name, now)
	if missing := float64(n) - got.saved - max(0, got.tokens); missing > rounding {
		got.saving = true
		return max(time.Millisecond, time.Duration(math.Ceil(missing/b.perSecond*float64(time.Second))))
	}
	got.tokens = min(float64(b.burst), got.tokens+got.saved-float64(n))
	got.saved, got.saving = 0, false
	return 0
}

// stopSaving returns what is saved to the bucket, because the call gave up.
func (b *buckets) stopSaving(name string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.refilled(name, now)
	got.tokens = min(float64(b.burst), got.tokens+got.saved)
	got.saved, got.saving = 0, false
}

// charge takes n tokens from a bucket even if it has fewer, and returns how long it
// takes to come out of debt, which is at most maxDebt. A negative n returns tokens.
func (b *buckets) charge(name string, n int, now time.Time) (debt time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.refilled(name, now)
	got.tokens = min(float64(b.burst), max(got.tokens-float64(n), -b.perSecond*maxDebt.Seconds()))
	return time.Duration(max(0, -got.tokens/b.perSecond) * float64(time.Second))
}

// refilled returns a bucket as it is now.
func (b *buckets) refilled(name string, now time.Time) *bucket {
	got, ok := b.byName.Get(name)
	if !ok {
		got = &bucket{tokens: float64(b.burst), at: now}
		b.byName.Add(name, got)
	}
	if passed := now.Sub(got.at); passed > 0 {
		more := passed.Seconds() * b.perSecond
		if got.saving {
			more /= 2
			got.saved += more
		}
		got.tokens, got.at = min(float64(b.burst), got.tokens+more), now
	}
	return got
}

// left returns how many whole tokens a bucket has.
func (b *buckets) left(name string, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.byName.Contains(name) {
		return b.burst
	}
	return max(0, int(math.Floor(b.refilled(name, now).tokens+rounding)))
}
