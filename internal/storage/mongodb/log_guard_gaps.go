package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
)

const (
	// countEvery is how often the number of the documents is compared with
	// where the log ends. It is the collection's own number, which costs
	// nothing and can be wrong after the database has crashed.
	countEvery = time.Minute
	// exactEvery is the shortest time between two counts of the events that are
	// made because that number is too small.
	exactEvery = 5 * time.Minute
	// gapChunk is how many events are counted at a time, from the index on _id.
	gapChunk = 250_000
)

// watchGaps looks for events that are missing in the middle of the log, until
// ctx ends. A count that cannot be made is made another time.
func (g *guard) watchGaps(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	var exact time.Time
	for off, sure := int64(0), false; ; {
		short, err := g.shortBy(ctx)
		if err == nil && (sure || short > off && time.Since(exact) >= exactEvery) {
			gap, err := g.firstGap(ctx)
			switch {
			case err != nil:
			case gap == 0:
				off = max(off, short) // the number was wrong
			default:
				g.suspect(gap)
			}
			exact = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			sure = false
		case <-g.recount:
			sure = true
		}
	}
}

// shortBy returns how many documents fewer than the log has events the
// collection says that it has.
func (g *guard) shortBy(ctx context.Context) (int64, error) {
	call, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	g.mu.Lock()
	head := int64(g.seen) // before the count: what is appended meanwhile makes it no less
	known := map[string]bool{}
	for _, names := range [][]string{g.strays, g.beyond} {
		for _, name := range names {
			known[name] = true
		}
	}
	for name := range g.passed {
		known[name] = true
	}
	g.mu.Unlock()
	n, err := g.db.Collection(eventsCollection).EstimatedDocumentCount(call)
	return head - n + int64(len(known)), err
}

// firstGap counts the events up to where the log ends, and returns the first
// position that has none, 0 if there is no such position.
func (g *guard) firstGap(ctx context.Context) (domain.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	head := g.furthest()
	for from := domain.Position(1); from <= head; from += gapChunk {
		to := min(from+gapChunk-1, head)
		lacks, err := g.lacks(ctx, from, to)
		if err != nil {
			return 0, err
		}
		if lacks {
			return g.narrow(ctx, from, to)
		}
	}
	return 0, nil
}

// narrow halves a range that lacks an event until it is one position.
func (g *guard) narrow(ctx context.Context, from, to domain.Position) (domain.Position, error) {
	for from < to {
		middle := from + (to-from)/2
		lacks, err := g.lacks(ctx, from, middle)
		switch {
		case err != nil:
			return 0, err
		case lacks:
			to = middle
		default:
			from = middle + 1
		}
	}
	lacks, err := g.lacks(ctx, from, to)
	if err != nil || !lacks { // strays with a fraction were counted
		return 0, err
	}
	return from, nil
}

// lacks reports whether there are fewer documents than positions in a range.
// Strays can only make them more.
func (g *guard) lacks(ctx context.Context, from, to domain.Position) (bool, error) {
	var counted []struct {
		N int64 `bson:"n"`
	}
	err := g.sessions.run(ctx, func(ctx context.Context) error {
		cursor, err := g.db.Collection(eventsCollection).Aggregate(ctx, mongo.Pipeline{
			{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int64(from)}, {Key: "$lte", Value: int64(to)}}}}}},
			{{Key: "$count", Value: "n"}},
		}, options.Aggregate().SetHint(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &counted)
	})
	n := int64(0)
	if len(counted) > 0 {
		n = counted[0].N
	}
	return n < int64(to-from+1), err
}

// removed notes that a document of the events was removed.
func (g *guard) removed(id bson.RawValue) {
	if n, ok := id.AsInt64OK(); ok && n >= 1 && domain.Position(n) <= g.furthest() {
		g.suspect(domain.Position(n))
	}
}

// suspect makes the guard look whether an event is there.
func (g *guard) suspect(p domain.Position) {
	g.mu.Lock()
	if g.gap == 0 || p < g.gap {
		g.gap = p
	}
	g.mu.Unlock()
	g.ask()
}

// lookAtGap looks for the event that may be missing.
func (g *guard) lookAtGap(ctx context.Context, f *finding) error {
	g.mu.Lock()
	f.suspect = g.gap
	g.mu.Unlock()
	if f.suspect == 0 {
		return nil
	}
	lacks, err := g.lacksOne(ctx, f.suspect)
	if lacks {
		f.gap = fmt.Sprintf("the log has a gap: the event at position %d is missing; put the documents back that are missing, which chirp verify names, and servers go on; or %s", f.suspect, adviceRestart)
	}
	return err
}

func (g *guard) lacksOne(ctx context.Context, p domain.Position) (bool, error) {
	err := g.db.Collection(eventsCollection).FindOne(ctx, bson.D{{Key: "_id", Value: int64(p)}}).Err()
	return err != nil && ignoreNone(err) == nil, ignoreNone(err)
}

// noteGap forgets an event that is there after all, and has all counted, for
// others may be missing. g.mu is held.
func (g *guard) noteGap(found finding) {
	if found.suspect == 0 || found.gap != "" || g.gap != found.suspect {
		return
	}
	g.gap = 0
	select {
	case g.recount <- struct{}{}:
	default:
	}
}
