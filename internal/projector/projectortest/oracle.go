// Package projectortest computes what the views must show, in the plainest way and
// from nothing but the events: without timelines, pushing or batches. Every test that
// needs to know what a feed contains compares it with an Oracle.
package projectortest

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Oracle computes feeds and rows from the events of a log, or of a part of it that is
// complete for the users who appear in it. The zero Oracle has no events.
type Oracle struct {
	events []event
}

type event struct {
	position domain.Position
	at       time.Time
	fact     domain.Event
}

// Chirp is a chirp as a feed shows it.
type Chirp struct {
	Position domain.Position
	ID       domain.ChirpID
	Author   domain.UserID
	Content  domain.Content
	PostedAt time.Time
}

// Read returns an oracle with some events, which are in position order.
func Read(events []eventstore.Event) (Oracle, error) {
	var o Oracle
	err := o.Append(events)
	return o, err
}

// Append adds events of a log, all later than those that the oracle has.
func (o *Oracle) Append(events []eventstore.Event) error {
	for _, e := range events {
		fact, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Position, err)
		}
		o.Add(e.Position, e.RecordedAt, fact)
	}
	return nil
}

// Add adds one event, later than those that the oracle has.
func (o *Oracle) Add(position domain.Position, at time.Time, fact domain.Event) {
	o.events = append(o.events, event{position, at, fact})
}

// Through returns the oracle as it was at a position.
func (o Oracle) Through(p domain.Position) Oracle {
	n := sort.Search(len(o.events), func(i int) bool { return o.events[i].position > p })
	return Oracle{o.events[:n:n]}
}

// Following returns the users whom a user follows after the last event.
func (o Oracle) Following(user domain.UserID) map[domain.UserID]bool {
	follows := make(map[domain.UserID]bool)
	for _, e := range o.events {
		switch fact := e.fact.(type) {
		case domain.UserFollowed:
			if fact.FollowerID == user {
				follows[fact.FolloweeID] = true
			}
		case domain.UserUnfollowed:
			if fact.FollowerID == user {
				delete(follows, fact.FolloweeID)
			}
		case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved, domain.ChirpPosted:
		}
	}
	return follows
}

// Feed returns the viewer's feed, newest first: all chirps by the users whom
// the viewer follows after the last event.
func (o Oracle) Feed(viewer domain.UserID) []Chirp {
	follows := o.Following(viewer)
	var feed []Chirp
	for _, e := range slices.Backward(o.events) {
		if fact, posted := e.fact.(domain.ChirpPosted); posted && follows[fact.AuthorID] {
			feed = append(feed, Chirp{e.position, fact.ChirpID, fact.AuthorID, fact.Content, e.at})
		}
	}
	return feed
}

// Feed returns a viewer's feed after the last of some events, newest first. For many
// viewers of the same events, call Read once.
func Feed(events []eventstore.Event, viewer domain.UserID) ([]Chirp, error) {
	o, err := Read(events)
	if err != nil {
		return nil, err
	}
	return o.Feed(viewer), nil
}
