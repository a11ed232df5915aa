// Package subscription pushes what is new to those who are connected here. The
// Hub is one more follower of the log, kept behind the read model's checkpoint,
// so that a push never precedes what a query can see. It knows whom the users
// connected here follow, and hands a chirp from memory to those who follow its
// author: the work is by local subscribers, never by an author's followers.
//
// # What a subscriber gets
//
// A feed subscription gives every chirp once, in the order of positions. It
// first reads what the feed has after the subscriber's place (catch-up), then
// changes over to the hub (live). For a viewer whose follows don't change, what
// it gets over any number of connections, each begun at the last position of
// the one before, is its feed from the oldest to the newest. Follows take
// effect at their own position: live, the chirps of a newly followed author
// count from the follow on, while catch-up gives what the feed shows, which
// includes that author's older chirps that are newer than the place.
//
// # What happens to a slow subscriber
//
// Nobody waits for it. Up to Config.Buffer chirps are kept for it, besides
// those it has taken and works through. One more, and the hub lets go of it: it
// keeps what was buffered, and once its consumer has taken that, it goes back
// to catch-up reading from its place, at its own pace, until it is level with
// the views again. Nothing is lost by that, and it may happen any number of
// times. It is ended with ErrTooSlow if it cannot keep up: if it is more than
// Config.MaxBehind positions behind the views and has not come nearer for
// Config.Patience and ten catch-up reads. A client can then start again from
// its last cursor. A subscriber that takes nothing at all costs its buffer and
// no work; to find out that it is gone is up to its transport.
package subscription

import (
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
	// Views tell how far the read model has come. Queries reads the same views.
	Views   readmodel.Store
	Queries *query.Service
	// Buffer is how many chirps wait for one subscriber at most, 256.
	Buffer int
	// Recent is how many events are kept to bridge the time between a reading
	// and the hub's taking over, 4,096.
	Recent int
	// Page is how many chirps one catch-up read asks for, 100.
	Page int
	// MaxBehind is the number of positions behind the views from which a
	// subscriber that does not gain is too slow, 100,000.
	MaxBehind domain.Position
	// Patience is how long such a subscriber has to gain, 10 s.
	Patience time.Duration
	// Logger may be nil for none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Buffer = orElse(c.Buffer, 256)
	c.Recent = orElse(c.Recent, 4096)
	c.Page = orElse(c.Page, 100)
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

// Why a subscription ends that its subscriber did not end. All can be told to
// the client.
var (
	// ErrTooSlow ends a feed subscription that cannot keep up.
	ErrTooSlow = domain.Errorf(domain.RateLimited,
		"the subscription fell too far behind and was ended; subscribe again after the last cursor, and read faster")
	// ErrShuttingDown ends every subscription when the hub closes.
	ErrShuttingDown = domain.Errorf(domain.Unavailable,
		"the server is shutting down; subscribe again after the last cursor")
	// ErrUndone ends every subscription when the log was put back to an earlier
	// state under the running server. The cursor tells what that means for each.
	ErrUndone = domain.Errorf(domain.Unavailable,
		"the log was put back to an earlier state, as from a backup; subscribe again after the last cursor")
)

// Start is where a feed subscription begins.
type Start struct {
	after domain.Position
	now   bool
}

// Now begins with the first chirp that is not visible yet when the iteration
// starts.
func Now() Start { return Start{now: true} }

// After begins with the first chirp after a position.
func After(p domain.Position) Start { return Start{after: p} }

// Stats is what the hub does at the moment.
type Stats struct {
	// Feeds and Profiles count the subscriptions that are open.
	Feeds    int
	Profiles int
	// Authors counts those whose chirps somebody here waits for.
	Authors int
	// Position is that of the last event handed out.
	Position domain.Position
	// Outage is why the hub cannot go on at the moment, nil if it can.
	Outage *outage.Report
	// CatchUps counts how often a live subscriber was moved back to catch-up
	// reading, and Dropped how many were ended with ErrTooSlow, since the start.
	CatchUps uint64
	Dropped  uint64
}
