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
