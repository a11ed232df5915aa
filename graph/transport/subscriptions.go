package transport

import (
	"context"
	"time"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/network"
)

// networkShares are how many times the subscriptions of an address its networks may
// have, by the order of network.Of.
var networkShares = [network.Kinds]int{1, 2, 4}

// subscriptionQuotas limit the subscriptions that each user has running, on whatever
// connections, those that run from each network, with and without a token, and all.
type subscriptionQuotas struct {
	all      *limiter // with one holder
	users    *limiter
	networks [network.Kinds]*limiter
}

func newSubscriptionQuotas(limits Limits) subscriptionQuotas {
	q := subscriptionQuotas{all: newLimiter(limits.Subscriptions), users: newLimiter(limits.SubscriptionsPerUser)}
	for i, share := range networkShares {
		q.networks[i] = newLimiter(times(limits.SubscriptionsPerAddress, share))
	}
	return q
}

// fullWait is when to try again while the server runs as many subscriptions as it may.
const fullWait = 10 * time.Second

// times returns n times a limit, which may be none.
func times(limit, n int) int {
	if product := limit * n; product/n == limit {
		return product
	}
	return limit
}

// Subscribe counts a subscription of the caller until release is called. If the caller
// or its network has too many it returns an error of kind RateLimited, and if the
// server has, one of kind Unavailable.
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
	one, ok := q.all.acquire("")
	if !ok {
		release()
		return nil, &domain.Error{Kind: domain.Unavailable, Msg: "the server runs as many subscriptions as it may; try again later", RetryAfter: fullWait}
	}
	counted = append(counted, one)
	return release, nil
}
