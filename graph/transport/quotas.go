package transport

import (
	"context"
	"sync"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// quota bounds how many connections each of many may hold at once.
type quota struct {
	most int

	mu   sync.Mutex
	held map[string]int // only what is not 0
}

func newQuota(most int) *quota { return &quota{most: most, held: map[string]int{}} }

// take takes one for a name, until release is called, if there is one left.
func (q *quota) take(name string) (release func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[name] >= q.most {
		return nil, false
	}
	q.held[name]++
	return sync.OnceFunc(func() { q.give(name) }), true
}

func (q *quota) give(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[name]--; q.held[name] == 0 {
		delete(q.held, name)
	}
}

// quotas are those of the connections that stay open: of each user, and of each
// client address for connections that are no user's. A socket that has not said
// yet whose it is counts for itself, so that a flood of such sockets and
// anonymous ones do not stand in the way of users at the same address.
type quotas struct {
	users     *quota
	addresses *quota
	waiting   *quota
}

func newQuotas(limits Limits) quotas {
	return quotas{users: newQuota(limits.SocketsPerUser), addresses: newQuota(limits.SocketsPerAddress), waiting: newQuota(limits.SocketsPerAddress)}
}

// Admit counts a connection of the caller's until release is called, or refuses
// it with an error of kind RateLimited.
func (q quotas) Admit(ctx context.Context) (release func(), err error) {
	if user, ok := auth.Caller(ctx); ok {
		if release, ok = q.users.take(string(user)); !ok {
			err = domain.Errorf(domain.RateLimited, "too many connections: a user may keep %d open; close one first", q.users.most)
		}
		return release, err
	}
	release, ok := q.addresses.take(request.From(ctx).Address)
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many connections: without a token an address may keep %d open; close one first", q.addresses.most)
	}
	return release, err
}

// Await counts a socket that has not said yet whose it is.
func (q quotas) Await(ctx context.Context) (release func(), err error) {
	release, ok := q.waiting.take(request.From(ctx).Address)
	if !ok {
		err = domain.Errorf(domain.RateLimited, "too many sockets of this address have not sent connection_init yet; try again")
	}
	return release, err
}
