package transport

import (
	"context"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/outage"
)

// smallBody is how many bytes a body or a message may have to be received without
// waiting. Nearly all that people send are smaller. A stranger may have one on each
// of its connections, whose number is limited.
const smallBody = 16 << 10

// receivePause is the time between two attempts to wait for a large message.
const receivePause = 100 * time.Millisecond

// bytesPerPlace is how many bytes an operation may have for each place that it takes
// among those that are executed. Decoded, they may take 50 times as much memory.
const bytesPerPlace = 64 << 10

// costPerPlace is how much an operation may cost for each place that it takes.
const costPerPlace = 1_000

// Limits of the callers that wait for a place, so that what they hold is bounded too.
const (
	maxWaiting        = 10_000
	maxWaitingAddress = 2_000
)

// admission bounds the work that requests and messages cause at once. Those that wait
// take turns by address and then by caller. It keeps an order: a request first waits
// to be received, then for its caller to read earlier responses, then for its turn, and
// then at the gates of the store. One that has a later place never waits for an earlier
// one.
type admission struct {
	*unread
	bodies *gate.Gate // KiB of large bodies and messages
	turns  *gate.Gate // operations that are decoded and executed
	logIns *gate.Gate // operations with passwords, which are executed beside the others
}

func newAdmission(l Limits) admission {
	kib := int(max(1, l.Receiving>>10))
	logIns := max(2, l.Executing/4)
	return admission{
		unread: newUnread(l.Unread),
		bodies: gate.NewLimited("bodies", gate.Limits{Places: kib, PlacesPerKey: max(1, kib/4), Waiting: maxWaiting, WaitingPerKey: maxWaitingAddress}),
		logIns: gate.NewLimited("log-ins", gate.Limits{Places: logIns, PlacesPerKey: logIns / 2, Waiting: maxWaiting, WaitingPerKey: maxWaitingAddress}),
		turns:  gate.NewLimited("operations", gate.Limits{Places: l.Executing, PlacesPerKey: max(1, l.Executing*3/4), Waiting: maxWaiting, WaitingPerKey: maxWaitingAddress}),
	}
}

// IsLarge reports whether a body or a message of so many bytes has to wait until it may
// be received.
func IsLarge(bytes int64) bool { return bytes > smallBody }

// Receive waits until a body or a message of so many bytes may be received, which
// counts until release is called.
func (a admission) Receive(ctx context.Context, bytes int64) (release func(), err error) {
	if !IsLarge(bytes) {
		return func() {}, nil
	}
	return a.bodies.EnterN(ctx, int((bytes+1023)>>10), guard.Keys(ctx)...)
}

// ReceiveMessage reads a socket's message up to a byte more than limit. A large one
// waits until it may be received, as long as done is open, and then begin is called;
// it counts until release is called.
func (a admission) ReceiveMessage(ctx context.Context, done <-chan struct{}, r io.Reader, limit int64, begin func()) (message []byte, release func(), err error) {
	release = func() {}
	message, err = io.ReadAll(io.LimitReader(r, min(limit, smallBody)+1))
	if err != nil || int64(len(message)) <= min(limit, smallBody) {
		return message, release, err
	}
	for {
		release, err = a.Receive(ctx, limit)
		if domain.KindOf(err) != domain.Unavailable || !outage.Pause(ctx, receivePause) {
			break
		}
		select {
		case <-done:
			return nil, func() {}, err
		default: // the client waits, but is not refused
		}
	}
	if err != nil {
		return nil, func() {}, err
	}
	begin()
	rest, err := io.ReadAll(io.LimitReader(r, limit+1-int64(len(message))))
	return append(message, rest...), release, err
}

// Turn waits until an operation from a body or a message of so many bytes may be
// decoded and executed, and returns a context with its turn. It must end before
// anything is written to the client, who may be slow, and is not for subscriptions
// to wait in.
func (a admission) Turn(ctx context.Context, bytes int64) (context.Context, *request.Turn, error) {
	return a.turn(ctx, 1+int(bytes/bytesPerPlace))
}

// TurnToPush is Turn for an answer of a subscription whose operation has some cost.
func (a admission) TurnToPush(ctx context.Context, cost int) (context.Context, *request.Turn, error) {
	return a.turn(ctx, placesFor(cost))
}

func (a admission) turn(ctx context.Context, places int) (context.Context, *request.Turn, error) {
	leave, err := a.enter(ctx, a.turns, places)
	if err != nil {
		return ctx, nil, err
	}
	turn := request.NewTurn(places, leave, rejoin(ctx, a.turns, places))
	return request.WithTurn(ctx, turn), turn, nil
}

// rejoin returns a function that takes places at a gate again.
func rejoin(ctx context.Context, g *gate.Gate, places int) func() (leave func()) {
	return func() func() { return g.Rejoin(ctx, places, guard.Keys(ctx)...) }
}

// enter waits for places at a gate where operations are executed. Once it has them its
// caller must still be allowed more unread responses: others of the caller may have been
// executed before.
func (a admission) enter(ctx context.Context, g *gate.Gate, places int) (leave func(), err error) {
	p := partyOf(ctx)
	for {
		if err := a.waitPatiently(ctx, p); err != nil {
			return nil, err
		}
		leave, err := g.EnterN(ctx, places, guard.Keys(ctx)...)
		if err != nil || a.allows(p) {
			return leave, err
		}
		leave()
	}
}

// placesFor returns how many places an operation takes by its cost.
func placesFor(cost int) int { return 1 + cost/costPerPlace }

// DecodeTurn waits until a socket's message of so many bytes may be decoded, which counts
// until end is called. A small one does not wait. A large one waits for as long as it has
// to: its bytes count meanwhile, and its client sends no more.
func (a admission) DecodeTurn(ctx context.Context, bytes int64) (end func(), err error) {
	if !IsLarge(bytes) {
		return func() {}, nil
	}
	for {
		end, err = a.turns.EnterN(ctx, 1+int(bytes/bytesPerPlace), guard.Keys(ctx)...)
		if err == nil {
			return end, nil
		}
		if domain.KindOf(err) != domain.Unavailable || !outage.Pause(ctx, receivePause) {
			return nil, err
		}
	}
}

// Weigh lets an operation that is about to be executed wait for as many places as it
// needs, if it is expensive: the processors would be shared by as many as have places,
// and those that need little would be slow. One with a password waits for a few places
// aside, so that those who guess passwords from many networks take no turns of the
// others. It has no place while it hashes, which is limited on its own.
func (a admission) Weigh(ctx context.Context, turn *request.Turn, oc *graphql.OperationContext) error {
	g, has := a.turns, turn.Places()
	places := max(has, placesFor(guard.CostOf(ctx, oc)))
	switch {
	case guard.HashesPasswords(oc):
		g = a.logIns
	case places == has:
		return nil
	}
	return turn.Renew(places, func() (func(), error) { return a.enter(ctx, g, places) }, rejoin(ctx, g, places))
}

// Gates returns the numbers of the gates at which requests wait.
func (a admission) Gates() []gate.Stats {
	return []gate.Stats{a.bodies.Stats(), a.turns.Stats(), a.logIns.Stats(), a.stats()}
}
