package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// pushed is the log as the hub follows it. An event that this program cannot
// read has no Event there: the hub moves on when the views do, which may be the
// doing of another server, of a newer version. What keeps the views right is
// that a projector halts at it.
func (a *app) pushed(ctx context.Context, after domain.Position) iter.Seq2[[]subscription.Recorded, error] {
	return func(yield func([]subscription.Recorded, error) bool) {
		for batch, err := range a.recorded(ctx, after) {
			var unread *unreadError
			if errors.As(err, &unread) {
				a.unread.note(a.log, unread)
				batch, err = []subscription.Recorded{{Position: unread.event.Position, At: unread.event.RecordedAt}}, nil
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}

// recorded is the log with its events decoded. One that cannot be is an
// *unreadError in its place, after which the events go on. It goes on after the
// event that it gave last only if the log has that event still.
func (a *app) recorded(ctx context.Context, after domain.Position) iter.Seq2[[]subscription.Recorded, error] {
	return func(yield func([]subscription.Recorded, error) bool) {
		for events, err := range eventstore.FollowSame(ctx, a.store.Log(), after, a.lastRead.hash(after)) {
			if err != nil {
				yield(nil, err)
				return
			}
			a.lastRead.note(events)
			for len(events) > 0 {
				batch, err := decodeAll(events)
				events = events[len(batch):]
				if len(batch) > 0 && !yield(batch, nil) {
					return
				}
				if err == nil {
					continue
				}
				if !yield(nil, err) {
					return
				}
				events = events[1:]
			}
		}
	}
}

// lastRead remembers the events that were read last. The hub is at one of them,
// or at the one before them, when it has to begin anew.
type lastRead struct {
	mu     sync.Mutex
	before eventstore.Event
	events []eventstore.Event
}

func (l *lastRead) note(events []eventstore.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.events); n > 0 {
		l.before = l.events[n-1]
	}
	l.events = events
}

// hash returns the hash of the event at a position, 0 if it is not among them.
func (l *lastRead) hash(at domain.Position) domain.EventHash {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range append([]eventstore.Event{l.before}, l.events...) {
		if at > 0 && e.Position == at {
			return e.Hash()
		}
	}
	return 0
}

// unreadError says that an event cannot be decoded.
type unreadError struct {
	event eventstore.Event
	err   error
}

// Error names the event.
func (e *unreadError) Error() string {
	return fmt.Sprintf("event %d (%s): %v", e.event.Position, e.event.Type, e.err)
}

// Unwrap gives the decoder's error.
func (e *unreadError) Unwrap() error { return e.err }

// decodeAll gives the events up to one that cannot be read, and an *unreadError
// about that one.
func decodeAll(events []eventstore.Event) ([]subscription.Recorded, error) {
	batch := make([]subscription.Recorded, 0, len(events))
	for _, e := range events {
		decoded, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			return batch, &unreadError{e, err}
		}
		batch = append(batch, subscription.Recorded{Position: e.Position, At: e.RecordedAt, Event: decoded})
	}
	return batch, nil
}

// unreadable remembers the types of the events that could not be decoded, so
// that each is logged once. The types of a log are few, but nothing bounds them.
type unreadable struct {
	mu    sync.Mutex
	types map[string]bool
}

// maxUnreadable is how many types are remembered and logged.
const maxUnreadable = 100

func (u *unreadable) note(log *slog.Logger, unread *unreadError) {
	e := unread.event
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.types[e.Type] || len(u.types) >= maxUnreadable {
		return
	}
	if u.types == nil {
		u.types = make(map[string]bool)
	}
	u.types[e.Type] = true
	log.Warn("subscribers here get nothing of events of a type that cannot be read", "type", e.Type, "first", e.Position, "error", unread.err)
}

// readFeed is the read model as the hub reads it.
func (a *app) readFeed(ctx context.Context, viewer domain.UserID, after domain.Position, limit int) (subscription.Reading, error) {
	r, err := a.queries.Open(ctx, 0)
	if err != nil {
		return subscription.Reading{}, err
	}
	defer r.Close()
	reading := subscription.Reading{Through: r.Checkpoint()}
	if limit > 0 {
		if reading.Items, err = feedItems(ctx, r, viewer, after, limit); err != nil {
			return subscription.Reading{}, err
		}
	}
	if len(reading.Items) < max(limit, 1) {
		reading.Followees, err = r.FolloweeIDs(ctx, viewer)
	}
	return reading, err
}

// feedItems reads a viewer's feed after a position, oldest first, with the
// authors' ids.
func feedItems(ctx context.Context, r *query.Reader, viewer domain.UserID, after domain.Position, limit int) ([]subscription.Item, error) {
	chirps, err := r.FeedAfter(ctx, viewer, after, limit)
	if err != nil || len(chirps) == 0 {
		return nil, err
	}
	authors, err := r.ProfilesByKey(ctx, authorKeys(chirps))
	if err != nil {
		return nil, err
	}
	items := make([]subscription.Item, len(chirps))
	for i, c := range chirps {
		items[i] = subscription.Item{Position: c.Position, Chirp: c.ID, Author: authors[c.Author].ID, Content: c.Content, PostedAt: c.PostedAt}
	}
	return items, nil
}

func authorKeys(chirps []readmodel.Chirp) []readmodel.UserKey {
	keys := make([]readmodel.UserKey, len(chirps))
	for i, c := range chirps {
		keys[i] = c.Author
	}
	return keys
}
