package transport

import (
	"context"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/network"
)

// networkShares are how many times the subscriptions of an address its networks may
// have, by the order of network.Of.
var networkShares = [network.Kinds]int{1, 2, 4}

// subscriptionQuotas limit the subscriptions that each user has running, on whatever
// connections, and those that run from each network, with and without a token.
type subscriptionQuotas struct {
	users    *limiter
	networks [network.Kinds]*limiter
}

func newSubscriptionQuotas(limits Limits) subscriptionQuotas {
	q := subscriptionQuotas{users: newLimiter(limits.SubscriptionsPerUser)}
	for i, share := range networkShares {
		q.networks[i] = newLimiter(times(limits.SubscriptionsPerAddress, share))
	}
	return q
}

// times returns n times a limit, which may be none.
func times(limit, n int) int {
	if product := limit * n; product/n == limit {
		return product
	}
	return limit
}

// Subscribe counts a subscription of the caller until release is called. If the caller
// or its network has too many it returns an error of kind RateLimited.
func (q subscriptionQuotas) Subscribe(ctx context.Context) (release func(), err error) {
	var counted []func()
	release = func() {
		for _, r := range counted {
			r()
		}
	}
	count := func(l *limiter, holder, message string) bool {
		one, ok := l.acquire(holder)
		if !ok {
			release()
			err = domain.Errorf(domain.RateLimited, message, l.max)
			return false
		}
		counted = append(counted, one)
		return true
	}
	if user, ok := auth.Caller(ctx); ok && !count(q.users, string(user), "too many subscriptions: a user may have %d running; complete one first") {
		return nil, err
	}
	for i, name := range request.From(ctx).Networks {
		if !count(q.networks[i], name, "too many subscriptions: a network may have %d running; complete one first") {
			return nil, err
		}
	}
	return release, nil
}
