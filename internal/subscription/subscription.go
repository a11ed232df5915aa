// Package subscription pushes new chirps and profile changes to the users who are
// connected to this server. The Hub is one more follower of the log. It stays
// behind the read model's checkpoint, so that a push never precedes what a query
// can see. It knows whom the connected users follow, and passes each chirp from
// memory to those who follow its author. Its work therefore grows with the local
// subscribers, never with the number of an author's followers. Its memory grows with
// the connected users and those whom they follow, and a further subscription of the
// same user adds little.
//
// # What a subscriber receives
//
// A feed subscription yields every chirp once, in the order of positions. It
// first reads the part of the feed after the subscriber's position (catch-up),
// then takes what the hub pushes (live). For a viewer whose follows don't change,
// the chirps over any number of connections, each started after the last position
// of the one before, add up to its feed, from oldest to newest. A follow takes
// effect at its own position: a live subscriber receives the new followee's chirps
// from the follow on. Catch-up yields what the feed shows, which includes the
// followee's older chirps, if they are newer than the subscriber's position.
//
// # What happens to a slow subscriber
//
// Neither the hub nor another subscriber waits for it. The hub buffers up to
// Config.Buffer chirps, besides the one that the subscriber is working on, within
// limits in bytes. When the buffer overflows, the hub detaches the subscriber. Once its
// consumer has taken what was buffered, the subscriber returns to catch-up, at its
// own pace, until it has reached the views' checkpoint again. Nothing is lost by
// that, and it may happen any number of times. A subscriber that cannot keep up is
// ended with ErrTooSlow: one that is more than Config.MaxBehind positions behind
// the views and has not come closer for Config.Patience and ten catch-up reads.
// Its client can then start again from its last cursor. A subscriber that takes
// nothing at all costs its buffer and no work; noticing that its client is gone is
// up to the transport.
package subscription

import (
	"context"
	"log/slog"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// Item is a chirp in a feed.
type Item struct {
	Position domain.Position
	ID       domain.ChirpID
	Author   domain.UserID
	Content  domain.Content
	PostedAt time.Time
}

// Config says what a Hub follows and reads. Log, Views and Queries are
// required; a zero number takes its default.
type Config struct {
	// Log is followed from the views' checkpoint on.
	Log eventstore.Log
	// Views reports how far the read model has come. Queries reads the same views.
	Views   readmodel.Store
	Queries *query.Service
	// Buffer is how many chirps the hub keeps for one subscriber at most.
	// Default: 256.
	Buffer int
	// BufferBytes is how many bytes of them, unless a single chirp is larger.
	// Default: 64 KiB.
	BufferBytes int
	// AllBytes is how many bytes of chirps the feeds of all viewers together hold:
	// in buffers and from catch-up reads. Beyond it each viewer may hold its share.
	// Default: 64 MiB.
	AllBytes int
	// Recent is how many of the newest events the hub keeps. They bridge the
	// time between a catch-up read and the moment its subscriber is attached.
	// Default: 4,096.
	Recent int
	// Page is how many chirps one catch-up read asks for. Default: 100.
	Page int
	// Readings is how many catch-up reads run at once. Viewers take turns. Default: 4.
	Readings int
	// Keys returns by what a subscriber takes turns before its viewer does, as its
	// networks. It may be nil.
	Keys func(ctx context.Context) []string
	// MaxBehind is how many positions a subscriber may be behind the views
	// without coming closer. Default: 100,000.
	MaxBehind domain.Position
	// Patience is how long a subscriber beyond MaxBehind has to come closer.
	// Default: 10 s.
	Patience time.Duration
	// Logger may be nil for none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Buffer = orElse(c.Buffer, 256)
	c.BufferBytes = orElse(c.BufferBytes, 64<<10)
	c.AllBytes = orElse(c.AllBytes, 64<<20)
	c.Recent = orElse(c.Recent, 4096)
	c.Page = orElse(c.Page, 100)
	c.Readings = orElse(c.Readings, 4)
	c.MaxBehind = orElse(c.MaxBehind, 100_000)
	c.Patience = orElse(c.Patience, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orElse[N int | domain.Position | time.Duration](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}

// The errors with which the hub ends subscriptions. Their messages are for the
// client.
var (
	// ErrTooSlow ends a feed subscription that cannot keep up.
	ErrTooSlow = domain.Errorf(domain.RateLimited,
		"the subscription fell too far behind and was ended; subscribe again after the last cursor, and read faster")
	// ErrShuttingDown ends every subscription when the hub closes.
	ErrShuttingDown = domain.Errorf(domain.Unavailable,
		"the server is shutting down; subscribe again after the last cursor")
	// ErrUndone ends every subscription when the log was restored to an earlier
	// state while the server ran. Whether a subscriber's last chirp still exists
	// shows when it subscribes again after its last cursor.
	ErrUndone = domain.Errorf(domain.Unavailable,
		"the log was restored to an earlier state, as from a backup; subscribe again after the last cursor")
)

// Start is where a feed subscription begins.
type Start struct {
	after domain.Position
	now   bool
}

// Now starts with the first chirp that is not visible yet when the iteration
// begins.
func Now() Start { return Start{now: true} }

// After starts with the first chirp after a position.
func After(p domain.Position) Start { return Start{after: p} }

// Stats is the state of a Hub at one moment.
type Stats struct {
	// Feeds and Profiles count the open subscriptions, and Live those feeds that get
	// what the hub pushes, because they are not catching up.
	Feeds    int
	Live     int
	Profiles int
	// Authors counts the authors whom at least one live subscriber follows.
	Authors int
	// Held is how many bytes of chirps wait for the consumers of feeds.
	Held int
	// Position is that of the last event dispatched.
	Position domain.Position
	// Outage says why the hub cannot follow the log, nil if it can.
	Outage *outage.Report
	// CatchUps counts how often a live subscriber went back to catch-up, and
	// Dropped how many were ended with ErrTooSlow, since the start.
	CatchUps uint64
	Dropped  uint64
}
