package mongodb

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

const (
	// guardEvery is how often the guard looks when nothing tells it to.
	guardEvery = time.Second
	// guardAgain is the shortest time between two looks of its own.
	guardAgain = 50 * time.Millisecond
	// strayNames is how many strays are named.
	strayNames = 5
)

// guard watches what the promises of the log rest on: the collection of the
// events is the one that this process opened and has its unique indexes, the
// log has its epoch and its first event, and it never ends before where it
// ended once. It watches the credentials, too (log_guard_kept.go). While any of that is not so, appends are refused and the store
// has a problem. When it is so again, appends are taken again.
//
// Three things keep appends from being acknowledged in between two looks: the
// insert names the collection by its UUID, so that one that was dropped is not
// made again; the indexes are looked at once more after the insert (stand); and
// the change stream asks for a look at once.
type guard struct {
	db       *mongo.Database
	sessions *sessions
	logger   *slog.Logger
	readOnly bool
	asked    chan struct{} // has room for one signal: look now
	recount  chan struct{} // has room for one signal: count the events now
	looking  sync.Mutex    // held during a look

	mu     sync.Mutex
	base   *foundation     // nil while it is not known: during an import
	seen   domain.Position // where the log ended when it was furthest
	broken error           // why appends are refused, nil if they are not
	strays []string        // as they were found by the last look
	beyond []string        // likewise, those that the log would run into
	passed map[string]bson.RawValue
	gap    domain.Position // the event that may be missing in the middle, 0 if none
	unkept error           // why the credentials cannot be relied on, nil if they can
	failed error           // why the last look could not be made
	// credentials is the collection of the credentials and passwords one of
	// them, as the last look found them that had nothing against them.
	credentials *bson.Binary
	passwords   *passwordsRow
	unseen      outage.Outage
}

func newGuard(db *mongo.Database, s *sessions, logger *slog.Logger) *guard {
	return &guard{db: db, sessions: s, logger: logger, asked: make(chan struct{}, 1), recount: make(chan struct{}, 1), passed: map[string]bson.RawValue{}}
}

// watch looks now and then, and when asked to, until ctx ends.
func (g *guard) watch(ctx context.Context) {
	g.search(ctx)
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.asked:
		}
		g.check(ctx)
		pause(ctx, guardAgain)
	}
}

// ask makes the guard look soon.
func (g *guard) ask() {
	select {
	case g.asked <- struct{}{}:
	default:
	}
}

// check looks, and remembers what was found. It changes nothing if ctx ends.
func (g *guard) check(ctx context.Context) {
	g.looking.Lock()
	defer g.looking.Unlock()
	call, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	g.mu.Lock()
	base, seen := g.base, g.seen
	g.mu.Unlock()
	if base == nil {
		return
	}
	found, err := g.look(call, *base, seen)
	if ctx.Err() != nil {
		return
	}
	if err == nil && !g.readOnly && base.first == (firstEvent{}) && found.first != (firstEvent{}) && len(found.lost) == 0 {
		err = g.writeDown(call, base.epoch, found.first)
	}
	if err == nil && found.news && !g.readOnly {
		err = g.writeKept(call, base.epoch, found)
	}
	g.note(base, found, err)
}

// note remembers what a look has found, and logs what is new in it.
func (g *guard) note(base *foundation, found finding, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.base != base {
		return // the log was replaced meanwhile
	}
	if g.failed = err; err != nil {
		if !passing(err) {
			g.unseen.Failed(g.logger, "what the log rests on cannot be looked at", err)
		}
		return
	}
	g.unseen.Ended(g.logger, "what the log rests on can be looked at again")
	if base.first == (firstEvent{}) {
		base.first = found.first
	}
	broken := found.broken(g.db.Name())
	switch {
	case broken != nil && (g.broken == nil || g.broken.Error() != broken.Error()):
		g.logger.Error("appends are refused, because the log cannot be relied on", "reason", broken)
	case broken == nil && g.broken != nil:
		g.logger.Info("appends are taken again: the log is as it must be")
	}
	g.broken = broken
	g.noteKept(found)
	g.noteGap(found)
	if len(found.strays) > 0 && !slices.Equal(found.strays, g.strays) {
		g.logger.Warn(describeStrays(found.strays), "database", g.db.Name())
	}
	g.strays, g.beyond = found.strays, found.beyond
	for _, name := range found.passed {
		if !slices.Contains(found.strays, name) {
			delete(g.passed, name)
		}
	}
}

// reached notes where the log ends, as a majority has it.
func (g *guard) reached(p domain.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = max(g.seen, p)
}

// furthest is where the log ended when it was furthest.
func (g *guard) furthest() domain.Position {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen
}

// pin is what makes an insert fail if the collection is not the one that this
// process opened; nothing on a server that has no such thing, before 6.0.
func (g *guard) pin() bson.D {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.base == nil || !g.base.pins {
		return nil
	}
	return bson.D{{Key: "collectionUUID", Value: g.base.collection}}
}

// pause forgets what the log rests on, because it is about to be replaced.
func (g *guard) pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.base, g.seen, g.broken, g.strays, g.beyond, g.passed = nil, 0, nil, nil, nil, map[string]bson.RawValue{}
	g.gap, g.unkept, g.credentials, g.passwords = 0, nil, nil, nil
}

// saw remembers what the first look has found.
func (g *guard) saw(found finding) {
	g.looking.Lock()
	defer g.looking.Unlock()
	g.note(g.base, found, nil)
	g.reached(max(found.head, found.least))
}

// begin takes what the log rests on as it is now, and looks at it.
func (g *guard) begin(ctx context.Context, epoch string) (finding, error) {
	base := &foundation{epoch: epoch}
	found, err := g.take(ctx, base)
	if err == nil {
		found, err = g.look(ctx, *base, 0)
	}
	if err != nil {
		return found, err
	}
	g.mu.Lock()
	g.base = base
	g.mu.Unlock()
	return found, nil
}
