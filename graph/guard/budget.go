package guard

import (
	"context"
	"slices"
	"time"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/network"
)

// networkShares are how many times the rate of one caller the networks have that it
// calls from, by the order of network.Of. An office shares an address, and a
// household has many.
var networkShares = [network.Kinds]float64{4, 8, 16}

// Budget is how much of one thing callers may cause. Each caller has a token bucket,
// and so has each network, which everyone who calls from there takes from, with and
// without a token. A nil Budget has no bounds.
type Budget struct {
	callers  *buckets
	networks [network.Kinds]*buckets
	now      func() time.Time
}

// newBudget returns a budget of some tokens per second and caller. Buckets hold some
// seconds' worth.
func newBudget(perSecond, seconds float64, now func() time.Time) *Budget {
	b := &Budget{callers: newBuckets(perSecond, seconds), now: now}
	for i, share := range networkShares {
		b.networks[i] = newBuckets(perSecond*share, seconds)
	}
	return b
}

// payer is a bucket that a call takes from.
type payer struct {
	*buckets
	name string
}

// payers returns the buckets that a call takes from, the caller's own first.
func (b *Budget) payers(ctx context.Context) []payer {
	all := append(make([]payer, 0, 1+network.Kinds), payer{b.callers, callerKey(ctx)})
	for i, name := range request.From(ctx).Networks {
		all = append(all, payer{b.networks[i], name})
	}
	return all
}

// Take takes n tokens from the caller's bucket and from those of its networks. If
// one has fewer it takes none, and returns how long to wait. More tokens than a
// bucket can hold are as many as it can hold.
func (b *Budget) Take(ctx context.Context, n int) (wait time.Duration) {
	if b == nil {
		return 0
	}
	return take(b.payers(ctx), n, b.now())
}

// takeAll is Take for tokens of which there may be more than a bucket can hold. Those
// leave it in debt.
func (b *Budget) takeAll(ctx context.Context, n int) (wait time.Duration) {
	if wait = b.Take(ctx, n); wait > 0 || b == nil {
		return wait
	}
	for _, p := range b.payers(ctx) {
		if n > p.burst {
			p.charge(p.name, n-p.burst, b.now())
		}
	}
	return 0
}

// giveBack returns n tokens that Take took.
func (b *Budget) giveBack(ctx context.Context, n int) {
	if b == nil {
		return
	}
	giveBack(b.payers(ctx), n, b.now())
}

func giveBack(paid []payer, n int, now time.Time) {
	for _, p := range paid {
		p.charge(p.name, -min(n, p.burst), now)
	}
}

// refill returns how long it takes until a caller has n tokens more.
func (b *Budget) refill(n int) time.Duration {
	if b == nil {
		return 0
	}
	return time.Duration(float64(n) / b.callers.perSecond * float64(time.Second))
}

// usedUp reports whether the caller's own bucket has less than a second's worth left.
func (b *Budget) usedUp(ctx context.Context) bool {
	return b != nil && float64(b.callers.left(callerKey(ctx), b.now())) < b.callers.perSecond
}

// takeShared takes n tokens from the buckets of the caller's networks only.
func (b *Budget) takeShared(ctx context.Context, n int) (wait time.Duration) {
	if b == nil {
		return 0
	}
	return take(b.payers(ctx)[1:], n, b.now())
}

// take takes n tokens from each of some buckets, or from none.
func take(all []payer, n int, now time.Time) (wait time.Duration) {
	if n <= 0 {
		return 0 // also if they are in debt
	}
	for i, p := range all {
		if wait = p.take(p.name, n, now); wait > 0 {
			giveBack(all[:i], n, now)
			return wait
		}
	}
	return 0
}

// Charge takes n tokens for what was done already. If there are fewer the buckets
// are in debt, and later calls wait until it is paid, which takes a minute at most.
func (b *Budget) Charge(ctx context.Context, n int) {
	if b == nil {
		return
	}
	for _, p := range b.payers(ctx) {
		p.charge(p.name, n, b.now())
	}
}

// chargeShared is Charge for the buckets of the caller's networks only. It returns
// how long it takes until none of them is in debt.
func (b *Budget) chargeShared(ctx context.Context, n int) (debt time.Duration) {
	if b == nil {
		return 0
	}
	for _, p := range b.payers(ctx)[1:] {
		debt = max(debt, p.charge(p.name, n, b.now()))
	}
	return debt
}

// report returns the state of the caller's bucket, in whole tokens. There may be
// fewer left, because its networks have no more.
func (b *Budget) report(ctx context.Context) *bucketReport {
	now, all := b.now(), b.payers(ctx)
	fewest := slices.MinFunc(all, func(x, y payer) int { return x.left(x.name, now) - y.left(y.name, now) })
	return &bucketReport{MaximumAvailable: b.callers.burst, CurrentlyAvailable: min(b.callers.burst, fewest.left(fewest.name, now)), RestoreRate: b.callers.perSecond}
}

// Keys returns the caller's networks, the widest first, and the caller, by which
// callers take turns at a gate.
func Keys(ctx context.Context) []string {
	networks := request.From(ctx).Networks
	keys := make([]string, 0, len(networks)+1)
	for _, name := range slices.Backward(networks) {
		keys = append(keys, name)
	}
	return append(keys, callerKey(ctx))
}

// callerKey returns the name of the caller's bucket. Users, identities and
// addresses do not have names in common.
func callerKey(ctx context.Context) string {
	if user, ok := auth.Caller(ctx); ok {
		return string(user)
	}
	if who, ok := auth.Identity(ctx); ok {
		return string(domain.IdentityStream(who))
	}
	return request.From(ctx).Address()
}
