package graph

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"chirp/internal/domain"
	"chirp/internal/gate"
)

const (
	// maxAnswers and maxAnswerBytes bound the answers that are kept for others.
	maxAnswers     = 10_000
	maxAnswerBytes = 16 << 20
	// answerLifetime is how long an answer is kept. Those who are to get it do so at
	// nearly the same time, unless they have to wait until they have paid.
	answerLifetime = 10 * time.Second
)

// answers has the newest answers of subscriptions, so that equal subscriptions share
// them: one of them computes the answer and the others wait for it.
type answers struct {
	mu    sync.Mutex
	kept  *simplelru.LRU[answerKey, *answer]
	bytes int // of the answers that are kept
	// candidates wait for a turn to compute an answer that no caller computes yet: one
	// for each payer, and the payer's others behind it.
	candidates map[answerKey]*candidates
	queues     gate.Queues[candidate]
}

// candidates are those who wait to compute an answer.
type candidates struct {
	begun context.Context // ends when one of them computes the answer
	begin context.CancelFunc
	n     int
}

// candidate identifies those who pay together and wait to compute the same answer.
type candidate struct {
	key   answerKey
	payer string
}

// turn is how a caller gets its turn to compute an answer.
type turn struct {
	payer string // whose turn it is
	// begin waits for the turn, which is in the context that it returns and must end
	// with a call of end. If ctx ends it returns at once.
	begin func(ctx context.Context) (inTurn context.Context, end func())
}

// answer is a response that several subscriptions are sent.
type answer struct {
	begun time.Time
	done  chan struct{} // closed once the following are set

	response *graphql.Response // nil if there is none to share
	through  domain.Position   // the checkpoint of the views that it shows
	sound    bool              // it has no errors and is valid, as transports check
}

func newAnswers() *answers {
	a := &answers{candidates: map[answerKey]*candidates{}}
	a.kept, _ = simplelru.NewLRU(maxAnswers, func(_ answerKey, one *answer) { a.bytes -= one.size() }) // fails only for a size of 0
	return a
}

// size returns the bytes of an answer.
func (one *answer) size() int {
	if one.response == nil {
		return 0
	}
	return len(one.response.Data)
}

// share returns the response of a key, and the checkpoint that it shows. Unless another
// caller has computed it or does so, share computes it in the caller's turn. The response
// must not be changed. No caller waits for the turn of another payer.
func (a *answers) share(ctx context.Context, key answerKey, t turn, compute func(context.Context) (*graphql.Response, domain.Position)) (_ *graphql.Response, through domain.Position, computed bool) {
	for ctx.Err() == nil {
		if response, through, ok := a.await(ctx, key); ok {
			return response, through, false
		}
		if response, through, ok := a.lead(ctx, key, t, compute); ok {
			return response, through, true
		}
	}
	return nil, 0, false
}

// ready returns the answer of a key if it has been computed and is sound. The response
// must not be changed.
func (a *answers) ready(key answerKey) (_ *graphql.Response, through domain.Position, ok bool) {
	a.mu.Lock()
	one := a.current(key)
	a.mu.Unlock()
	if one == nil {
		return nil, 0, false
	}
	select {
	case <-one.done:
		return one.response, one.through, one.sound
	default:
		return nil, 0, false
	}
}

// await waits for the answer of a key, if there is one or another caller is computing
// it.
func (a *answers) await(ctx context.Context, key answerKey) (_ *graphql.Response, through domain.Position, ok bool) {
	a.mu.Lock()
	one := a.current(key)
	a.mu.Unlock()
	if one == nil {
		return nil, 0, false
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		return nil, 0, false
	}
	if one.response == nil {
		return nil, 0, false
	}
	return &graphql.Response{Data: one.response.Data, Errors: one.response.Errors}, one.through, true
}

// lead computes the answer of a key in the caller's turn. It returns false if another
// caller begins before that.
func (a *answers) lead(ctx context.Context, key answerKey, t turn, compute func(context.Context) (*graphql.Response, domain.Position)) (_ *graphql.Response, through domain.Position, ok bool) {
	c := a.enlist(key)
	if c == nil {
		return nil, 0, false
	}
	defer a.withdraw(key, c)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stay := context.AfterFunc(c.begun, cancel)
	leave, err := a.queues.Enter(ctx, candidate{key, t.payer})
	if err != nil {
		return nil, 0, false
	}
	defer leave()
	if c.begun.Err() != nil {
		return nil, 0, false
	}
	ctx, end := t.begin(ctx)
	defer end()
	if !stay() || ctx.Err() != nil {
		return nil, 0, false
	}
	one, first := a.join(key)
	if !first {
		return nil, 0, false
	}
	response, through := a.run(ctx, key, one, compute)
	return response, through, true
}

// enlist adds a caller to the candidates for computing an answer. It returns nil if
// another caller has begun.
func (a *answers) enlist(key answerKey) *candidates {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current(key) != nil {
		return nil
	}
	c := a.candidates[key]
	if c == nil {
		c = &candidates{}
		c.begun, c.begin = context.WithCancel(context.Background())
		a.candidates[key] = c
	}
	c.n++
	return c
}

// withdraw removes a caller from the candidates.
func (a *answers) withdraw(key answerKey, c *candidates) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.n--; c.n == 0 && a.candidates[key] == c {
		delete(a.candidates, key)
		c.begin()
	}
}

// current returns the answer of a key that is kept or being computed, or nil. Its caller
// has locked a.mu.
func (a *answers) current(key answerKey) *answer {
	if one, ok := a.kept.Get(key); ok && time.Since(one.begun) < answerLifetime {
		return one
	}
	return nil
}

// join returns the answer of a key, and whether the caller must compute it.
func (a *answers) join(key answerKey) (one *answer, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.current(key); one != nil {
		return one, false
	}
	if c := a.candidates[key]; c != nil {
		delete(a.candidates, key)
		c.begin() // the others wait for the answer now
	}
	a.kept.Remove(key)
	one = &answer{begun: time.Now(), done: make(chan struct{})}
	a.kept.Add(key, one)
	return one, true
}

// run computes an answer, also for those that wait for it. If there is none to share,
// because the caller has left, which its fields may have got as an error, or because it
// has extensions, which are for one caller, one of them computes it next. An answer with
// errors is not kept for those that come later.
func (a *answers) run(ctx context.Context, key answerKey, one *answer, compute func(context.Context) (*graphql.Response, domain.Position)) (response *graphql.Response, through domain.Position) {
	defer close(one.done)
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if response == nil || response.Data == nil || len(response.Extensions) > 0 || ctx.Err() != nil {
			a.forget(key, one)
			return
		}
		if kept, ok := a.kept.Peek(key); ok && kept == one && len(response.Errors) == 0 {
			a.bytes += len(response.Data)
		} else {
			a.forget(key, one)
		}
		one.response, one.through = response, through
		one.sound = len(response.Errors) == 0 && json.Valid(response.Data)
		for a.bytes > maxAnswerBytes {
			a.kept.RemoveOldest()
		}
	}()
	return compute(ctx)
}

// forget removes an answer unless there is another one for its key by now.
func (a *answers) forget(key answerKey, one *answer) {
	if kept, ok := a.kept.Peek(key); ok && kept == one {
		a.kept.Remove(key)
	}
}
