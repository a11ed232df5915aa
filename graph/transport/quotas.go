package transport

import (
	"context"
	"sync"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// quota bounds how many connections each of many may hold at once.
type limiter struct {
	max int

	mu   sync.Mutex
	open map[string]int // only what is not 0
}

func newLimiter(most int) *limiter { return &limiter{max: most, open: map[string]int{}} }

// take takes one for a name, until release is called, if there is one left.
func (q *limiter) acquire(name string) (release func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open[name] >= q.max {
		return nil, false
	}
	q.open[name]++
	return sync.OnceFunc(func() { q.release(name) }), true
}

func (q *limiter) release(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open[name]--; q.open[name] == 0 {
		delete(q.open, name)
	}
}

// quotas are those of the connections that stay open: of each user, and of each
// client address for connections that are no user's. A socket that has not said
// yet whose it is counts for itself, so that a flood of such sockets and
// anonymous ones do not stand in the way of users at the same address.
type quotas struct {
	users         *limiter
	addresses     *limiter
	uninitialized *limiter
}

func newQuotas(limits Limits) quotas {
	return quotas{users: newLimiter(limits.SocketsPerUser), addresses: newLimiter(limits.SocketsPerAddress), uninitialized: newLimiter(limits.SocketsPerAddress)}
}

// Admit counts a connection of the caller's until release is called, or refuses
// it with an error of kind RateLimited.
func (q quotas) Admit(ctx context.Context) (release func(), err error) {
	if user, ok := auth.Caller(ctx); ok {
		if release, ok = q.users.acquire(string(user)); !ok {
			err = domain.Errorf(domain.RateLimited, "too many connections: a user may keep %d open; close one first", q.users.max)
		}
		return release, err
	}
	release, ok := q.addresses.acquire(request.From(ctx).Address)
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many connections: without a token an address may keep %d open; close one first", q.addresses.max)
	}
	return release, err
}

// Await counts a socket that has not said yet whose it is.
func (q quotas) AdmitUninitialized(ctx context.Context) (release func(), err error) {
	release, ok := q.uninitialized.acquire(request.From(ctx).Address)
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many sockets of this address have not sent connection_init yet; try again")
	}
	return release, err
}
