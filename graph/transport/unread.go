package transport

import (
	"context"
	"sync"
	"time"

	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// leastUnread is how many bytes of responses each caller may leave unread, whatever
// others at its network do.
const leastUnread = 64 << 10

// unreadPatience is how long an operation waits for responses to be read.
const unreadPatience = 10 * time.Second

// errUnread is the error for an operation that has waited in vain.
var errUnread = &domain.Error{Kind: domain.Unavailable, RetryAfter: time.Second,
	Msg: "responses that have not been read yet take as much memory as they may; read them first, or try again later"}

// unread counts the bytes of the responses that clients have not read yet: of each
// caller, each network, and all. No operation begins to be executed, and no answer of a
// subscription is copied, while its caller has too many. Those that are executed
// already may exceed the limits by what they respond.
type unread struct {
	perCaller, perNetwork, most int

	mu       sync.Mutex
	callers  map[string]int // without zeros
	networks map[string]int // without zeros
	all      int
	waiting  int
	refused  int64
	fewer    chan struct{} // closed when a caller may have more than before
}

// newUnread returns a count of at most some bytes. A network may have a quarter of them,
// and a caller a quarter of that.
func newUnread(most int64) *unread {
	return &unread{
		perCaller: int(most / 16), perNetwork: int(most / 4), most: int(most),
		callers: map[string]int{}, networks: map[string]int{}, fewer: make(chan struct{}),
	}
}

// party is who may leave responses unread.
type party struct {
	caller   string
	networks []string
}

func partyOf(ctx context.Context) party {
	keys := guard.Keys(ctx)
	last := len(keys) - 1
	return party{keys[last], keys[:last]}
}

// may reports whether a party may have more. Its caller has locked u.mu.
func (u *unread) may(p party) bool {
	own := u.callers[p.caller]
	if own < leastUnread {
		return true
	}
	for _, name := range p.networks {
		if u.networks[name] >= u.perNetwork {
			return false
		}
	}
	return own < u.perCaller && u.all < u.most
}

// allows reports whether a party may have more.
func (u *unread) allows(p party) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.may(p)
}

// add counts n bytes more, or fewer.
func (u *unread) add(p party, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(p, n)
}

func (u *unread) addLocked(p party, n int) {
	own := change(u.callers, p.caller, n)
	below := fell(own, n, u.perCaller) || fell(own, n, leastUnread)
	for _, name := range p.networks {
		below = fell(change(u.networks, name, n), n, u.perNetwork) || below
	}
	u.all += n
	below = fell(u.all, n, u.most) || below
	if below && u.waiting > 0 {
		close(u.fewer)
		u.fewer = make(chan struct{})
	}
}

// change adds n to a count, and returns it.
func change(counts map[string]int, name string, n int) int {
	now := counts[name] + n
	if counts[name] = now; now == 0 {
		delete(counts, name)
	}
	return now
}

// fell reports whether adding n brought a count below a limit.
func fell(now, n, limit int) bool { return now < limit && now-n >= limit }

// wait waits until a party may have more, and then counts n bytes.
func (u *unread) wait(ctx context.Context, p party, n int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for !u.may(p) {
		fewer := u.fewer
		u.waiting++
		u.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
		}
		u.mu.Lock()
		u.waiting--
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	u.addLocked(p, n)
	return nil
}

// waitPatiently waits until a party may have more, or returns errUnread after
// unreadPatience.
func (u *unread) waitPatiently(ctx context.Context, p party) error {
	patient, cancel := context.WithTimeout(ctx, unreadPatience)
	defer cancel()
	err := u.wait(patient, p, 0)
	if err == nil || ctx.Err() != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused++
	return errUnread
}

// WaitForReader waits until the caller may have more unread responses.
func (u *unread) WaitForReader(ctx context.Context) error { return u.wait(ctx, partyOf(ctx), 0) }

// stats returns the current numbers, in KiB.
func (u *unread) stats() gate.Stats {
	u.mu.Lock()
	defer u.mu.Unlock()
	return gate.Stats{Name: "unread", Places: u.most >> 10, Inside: u.all >> 10, Waiting: u.waiting, Refused: u.refused}
}

// Reply counts the responses of an operation. It is for one goroutine at a time.
type Reply struct {
	unread *unread
	party  party
	held   int // bytes that have not been taken
}

var _ request.Reply = (*Reply)(nil)

// Reply returns a context for the execution of an operation, and the reply that
// counts its responses, until it ends.
func (u *unread) Reply(ctx context.Context) (context.Context, *Reply) {
	r := &Reply{unread: u, party: partyOf(ctx)}
	return request.WithReply(ctx, r), r
}

// Add implements request.Reply.
func (r *Reply) Add(n int) {
	r.unread.add(r.party, n)
	r.held += n
}

// Wait implements request.Reply.
func (r *Reply) Wait(ctx context.Context, n int) error {
	if err := r.unread.wait(ctx, r.party, n); err != nil {
		return err
	}
	r.held += n
	return nil
}

// Take returns what is counted since the last call, which counts until it is released.
func (r *Reply) Take() Held {
	held := Held{r, r.held}
	r.held = 0
	return held
}

// End ends the count of what has not been taken.
func (r *Reply) End() { r.Take().Release() }

// Held is the bytes of a response that count as unread.
type Held struct {
	reply *Reply
	n     int
}

// Release ends the count, because the client has read the response or will not. It
// must be called once, unless h is the zero Held.
func (h Held) Release() {
	if h.reply != nil {
		h.reply.unread.add(h.reply.party, -h.n)
	}
}
