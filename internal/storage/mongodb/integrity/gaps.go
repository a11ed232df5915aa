package integrity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

const (
	// countEvery is how often the number of documents is compared with the
	// position of the last event. It is the collection's own counter, which is
	// free to read and can be wrong after the database has crashed.
	countEvery = time.Minute
	// exactEvery is the shortest time between two exact counts of the events
	// that are made because that counter is too small.
	exactEvery = 5 * time.Minute
	// gapChunk is how many events are counted at a time, from the index on _id.
	gapChunk = 250_000
)

// WatchGaps looks for events that are missing in the middle of the log, until
// ctx ends. A count that fails is repeated at the next tick.
func (m *Monitor) WatchGaps(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	var exact time.Time
	for wrongBy, requested := int64(0), false; ; {
		short, err := m.shortBy(ctx)
		if err == nil && (requested || short > wrongBy && time.Since(exact) >= exactEvery) {
			gap, err := m.firstGap(ctx)
			switch {
			case err != nil:
			case gap == 0:
				wrongBy = max(wrongBy, short) // the counter was wrong
			default:
				m.suspect(gap)
			}
			exact = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			requested = false
		case <-m.recount:
			requested = true
		}
	}
}

// shortBy returns how many documents the collection's counter lacks: one for
// each position up to the end of the log, and one for each known stray.
func (m *Monitor) shortBy(ctx context.Context) (int64, error) {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	m.mu.Lock()
	head := int64(m.furthest) // read before the counter, which appends can only increase
	known := map[string]bool{}
	for _, names := range [][]string{m.strays, m.beyond} {
		for _, name := range names {
			known[name] = true
		}
	}
	for name := range m.skipped {
		known[name] = true
	}
	m.mu.Unlock()
	n, err := m.conn.DB().Collection(format.EventsCollection).EstimatedDocumentCount(call)
	return head - n + int64(len(known)), err
}

// firstGap counts the events up to the end of the log, and returns the first
// position that has none, 0 if there is no such position.
func (m *Monitor) firstGap(ctx context.Context) (domain.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	head := m.Furthest()
	for from := domain.Position(1); from <= head; from += gapChunk {
		to := min(from+gapChunk-1, head)
		lacks, err := m.lacks(ctx, from, to)
		if err != nil {
			return 0, err
		}
		if lacks {
			return m.narrow(ctx, from, to)
		}
	}
	return 0, nil
}

// narrow halves a range that lacks an event until it is one position.
func (m *Monitor) narrow(ctx context.Context, from, to domain.Position) (domain.Position, error) {
	for from < to {
		middle := from + (to-from)/2
		lacks, err := m.lacks(ctx, from, middle)
		switch {
		case err != nil:
			return 0, err
		case lacks:
			to = middle
		default:
			from = middle + 1
		}
	}
	lacks, err := m.lacks(ctx, from, to)
	if err != nil || !lacks { // a stray with a fraction had been counted
		return 0, err
	}
	return from, nil
}

// lacks reports whether there are fewer documents than positions in a range.
// Strays can only add to the documents.
func (m *Monitor) lacks(ctx context.Context, from, to domain.Position) (bool, error) {
	var counted []struct {
		N int64 `bson:"n"`
	}
	err := m.conn.InSession(ctx, func(ctx context.Context) error {
		cursor, err := m.conn.DB().Collection(format.EventsCollection).Aggregate(ctx, mongo.Pipeline{
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

// NoteRemoved notes that the document with an _id was removed from the events.
func (m *Monitor) NoteRemoved(id bson.RawValue) {
	if n, ok := id.AsInt64OK(); ok && n >= 1 && domain.Position(n) <= m.Furthest() {
		m.suspect(domain.Position(n))
	}
}

// suspect requests a check whether the event at a position is there.
func (m *Monitor) suspect(p domain.Position) {
	m.mu.Lock()
	if m.gap == 0 || p < m.gap {
		m.gap = p
	}
	m.mu.Unlock()
	m.RequestCheck()
}

// inspectGap looks for the event that may be missing.
func (m *Monitor) inspectGap(ctx context.Context, f *findings) error {
	m.mu.Lock()
	f.suspect = m.gap
	m.mu.Unlock()
	if f.suspect == 0 {
		return nil
	}
	err := m.conn.DB().Collection(format.EventsCollection).FindOne(ctx, bson.D{{Key: "_id", Value: int64(f.suspect)}}).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		f.gap = fmt.Sprintf("the log has a gap: the event at position %d is missing; put the missing documents back, which chirp verify names, and the servers continue; or %s", f.suspect, adviceRestart)
	}
	return ignoreNone(err)
}

// rememberGap forgets the suspected gap if the event is there after all, and has
// all events counted, because others may be missing. m.mu is held.
func (m *Monitor) rememberGap(found findings) {
	if found.suspect == 0 || found.gap != "" || m.gap != found.suspect {
		return
	}
	m.gap = 0
	select {
	case m.recount <- struct{}{}:
	default:
	}
}
