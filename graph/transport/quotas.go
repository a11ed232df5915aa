package transport

import (
	"context"
	"sync"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// limiter limits how many connections each holder may have open.
type limiter struct {
	max int

	mu   sync.Mutex
	open map[string]int // by holder; without zeros
}

func newLimiter(limit int) *limiter { return &limiter{max: limit, open: map[string]int{}} }

// acquire counts a connection of a holder until release is called. It returns false
// if the holder has max open.
func (l *limiter) acquire(holder string) (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[holder] >= l.max {
		return nil, false
	}
	l.open[holder]++
	return sync.OnceFunc(func() { l.release(holder) }), true
}

func (l *limiter) release(holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[holder]--; l.open[holder] == 0 {
		delete(l.open, holder)
	}
}

// quotas limit the open connections of each user, and of each client address the
// anonymous ones. Sockets that are not initialized have their own limit, so that
// neither they nor anonymous connections keep users at the same address out.
type quotas struct {
	users         *limiter
	addresses     *limiter
	uninitialized *limiter
}

func newQuotas(limits Limits) quotas {
	return quotas{users: newLimiter(limits.SocketsPerUser), addresses: newLimiter(limits.SocketsPerAddress), uninitialized: newLimiter(limits.SocketsPerAddress)}
}

// Admit counts a connection of the caller until release is called. If the caller has
// too many it returns an error of kind RateLimited.
func (q quotas) Admit(ctx context.Context) (release func(), err error) {
	if user, ok := auth.Caller(ctx); ok {
		if release, ok = q.users.acquire(string(user)); !ok {
			err = domain.Errorf(domain.RateLimited, "too many connections: a user may keep %d open; close one first", q.users.max)
		}
		return release, err
	}
	release, ok := q.addresses.acquire(request.From(ctx).Address())
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many connections: without a token an address may keep %d open; close one first", q.addresses.max)
	}
	return release, err
}

// AdmitUninitialized counts a socket that is not initialized, as Admit does.
func (q quotas) AdmitUninitialized(ctx context.Context) (release func(), err error) {
	release, ok := q.uninitialized.acquire(request.From(ctx).Address())
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many sockets from this address have not sent connection_init yet; try again")
	}
	return release, err
}
