package auth

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxCounts bounds how many counts of each kind are kept. The one that changed
// longest ago is lost first. Each wrong password costs a hash, so to push out a
// count takes so many of them that it gains nothing.
const maxCounts = 20_000

// backoff says how long the next attempt waits after some failures. The first few
// wait for nothing, and each of the others twice as long as the one before.
type backoff struct {
	free        int
	first, most time.Duration
	// forgive is the time after which one failure is forgotten.
	forgive time.Duration
}

// wider returns the backoff of something with n times as many users.
func (b backoff) wider(n int) backoff {
	return backoff{free: b.free * n, first: b.first, most: b.most / time.Duration(n), forgive: b.forgive / time.Duration(n)}
}

func (b backoff) delay(failures int) time.Duration {
	wait := b.first
	for n := b.free + 1; n < failures && wait < b.most; n++ {
		wait *= 2
	}
	if failures <= b.free {
		return 0
	}
	return min(wait, b.most)
}

// count is how often something has failed. The zero value is never.
type count struct {
	failures int
	since    time.Time // the last failure, or when one was forgiven since
	until    time.Time // when the next attempt may begin
}

// forgiven returns the count at a later time.
func (c count) forgiven(b backoff, now time.Time) count {
	if n := int(now.Sub(c.since) / b.forgive); n > 0 && c.failures > 0 {
		c.failures = max(0, c.failures-n)
		c.since = c.since.Add(time.Duration(n) * b.forgive)
	}
	return c
}

// failed returns the count after another failure.
func (c count) failed(b backoff, now time.Time) count {
	c = c.forgiven(b, now)
	if b.delay(c.failures) < b.most { // or forgiving all of them would take longer and longer
		c.failures++
	}
	return count{failures: c.failures, since: now, until: now.Add(b.delay(c.failures))}
}

// counts are the counts of one kind, by key.
type counts struct{ byKey *simplelru.LRU[string, count] }

func newCounts() counts {
	byKey, _ := simplelru.NewLRU[string, count](maxCounts, nil) // fails only for a size of 0
	return counts{byKey}
}

// get does not make the count a recent one.
func (c counts) get(key string) count {
	found, _ := c.byKey.Peek(key)
	return found
}

// set stores a count, unless it says nothing.
func (c counts) set(key string, to count) {
	if to.failures == 0 {
		c.byKey.Remove(key)
		return
	}
	c.byKey.Add(key, to)
}
