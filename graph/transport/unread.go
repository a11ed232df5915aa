package transport

import (
	"container/list"
	"context"
	"sync"
	"time"

	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// leastUnread is how many bytes of responses a caller may leave unread before it counts
// as one of those who leave much.
const leastUnread = 64 << 10

// UnreadPatience is how long an operation waits for responses to be read.
const UnreadPatience = 10 * time.Second

// unreadPoll is how often a caller that waits for others looks again.
const unreadPoll = 500 * time.Millisecond

// ErrUnread is the error for an operation that has waited in vain.
var ErrUnread error = &domain.Error{Kind: domain.Unavailable, RetryAfter: time.Second,
	Msg: "responses that have not been read yet take as much memory as they may; read them first, or try again later"}

// unread counts the bytes of the responses that clients have not read yet: of each
// caller, each network, and all. No operation begins to be executed, and no answer of a
// subscription is copied, while its caller, a network of it or all have too many. For a
// caller with little, its network and all may have twice as many. Operations that are
// executed already may exceed the limits by what they respond.
type unread struct {
	perCaller, perNetwork, most int

	mu       sync.Mutex
	callers  map[string]*unreadOf // of those who have some, or wait
	networks map[string]int       // without zeros
	all      int
	waiting  int
	refused  int64
}

// unreadOf is the count of a caller.
type unreadOf struct {
	bytes   int
	waiting list.List // of chan struct{}, which is closed when it may look again
}

// newUnread returns a count of at most some bytes. A network may have a quarter of them,
// and a caller a quarter of that.
func newUnread(most int64) *unread {
	return &unread{
		perCaller: int(most / 16), perNetwork: int(most / 4), most: int(most),
		callers: map[string]*unreadOf{}, networks: map[string]int{},
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
	own, times := 0, 1
	if of := u.callers[p.caller]; of != nil {
		own = of.bytes
	}
	if own < leastUnread {
		times = 2
	}
	for _, name := range p.networks {
		if u.networks[name] >= times*u.perNetwork {
			return false
		}
	}
	return own < u.perCaller && u.all < times*u.most
}

// allows reports whether a party may have more.
func (u *unread) allows(p party) bool { return u.tryAdd(p, 0) }

// allowsAtOnce reports whether a party may have more and nobody waits for that.
func (u *unread) allowsAtOnce(p party) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.waiting == 0 && u.may(p)
}

// tryAdd counts n bytes if a party may have more, and reports whether it did.
func (u *unread) tryAdd(p party, n int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.may(p) {
		return false
	}
	u.addLocked(p, n)
	return true
}

// add counts n bytes more, or fewer.
func (u *unread) add(p party, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(p, n)
}

func (u *unread) addLocked(p party, n int) {
	u.of(p.caller).bytes += n
	for _, name := range p.networks {
		if u.networks[name] += n; u.networks[name] == 0 {
			delete(u.networks, name)
		}
	}
	u.all += n
	if n < 0 {
		u.wake(p)
	}
	u.tidy(p.caller)
}

// of returns the count of a caller.
func (u *unread) of(caller string) *unreadOf {
	of := u.callers[caller]
	if of == nil {
		of = &unreadOf{}
		u.callers[caller] = of
	}
	return of
}

// tidy forgets a caller who has nothing and does not wait.
func (u *unread) tidy(caller string) {
	if of := u.callers[caller]; of != nil && of.bytes == 0 && of.waiting.Len() == 0 {
		delete(u.callers, caller)
	}
}

// wake lets the first that waits for a party's caller look again, if it may have more.
func (u *unread) wake(p party) {
	if of := u.callers[p.caller]; of != nil && of.waiting.Len() > 0 && u.may(p) {
		close(of.waiting.Remove(of.waiting.Front()).(chan struct{}))
	}
}

// wait waits until a party may have more. One that waits for others than its caller
// looks again now and then: those may be many, and none should have to wake them all.
func (u *unread) wait(ctx context.Context, p party) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer u.tidy(p.caller)
	for !u.may(p) {
		u.sleep(ctx, u.of(p.caller))
		if ctx.Err() != nil {
			u.wake(p) // in place of this one
			return ctx.Err()
		}
	}
	u.wake(p)
	return nil
}

// sleep waits until it is woken, unlocked.
func (u *unread) sleep(ctx context.Context, of *unreadOf) {
	woken := make(chan struct{})
	place := of.waiting.PushBack(woken)
	u.waiting++
	u.mu.Unlock()
	poll := time.NewTimer(unreadPoll)
	defer poll.Stop()
	select {
	case <-woken:
	case <-poll.C:
	case <-ctx.Done():
	}
	u.mu.Lock()
	u.waiting--
	of.waiting.Remove(place) // does nothing if it was woken
}

// waitPatiently waits until a party may have more, or returns ErrUnread after
// UnreadPatience.
func (u *unread) waitPatiently(ctx context.Context, p party) error {
	if u.allowsAtOnce(p) {
		return nil
	}
	patient, cancel := context.WithTimeout(ctx, UnreadPatience)
	defer cancel()
	err := u.wait(patient, p)
	if err == nil || ctx.Err() != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused++
	return ErrUnread
}

// WaitForReader waits until the caller may have more unread responses.
func (u *unread) WaitForReader(ctx context.Context) error { return u.wait(ctx, partyOf(ctx)) }

// Hold counts n bytes of a message to the caller that is no response.
func (u *unread) Hold(ctx context.Context, n int) Held {
	r := &Reply{unread: u, party: partyOf(ctx)}
	r.Add(n)
	return r.Take()
}

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

// TryAdd implements request.Reply.
func (r *Reply) TryAdd(n int) bool {
	if !r.unread.tryAdd(r.party, n) {
		return false
	}
	r.held += n
	return true
}

// Wait implements request.Reply.
func (r *Reply) Wait(ctx context.Context) error { return r.unread.wait(ctx, r.party) }

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
