package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

const (
	// maxKnown is the number of users whose access a server remembers. With
	// MaxSessions each, that takes about 100 MB; with three each, about 5 MB.
	maxKnown = 10_000
	// freshFor is how long a server relies on what it has read.
	freshFor = 1500 * time.Millisecond
	// seenEvery is how exactly the store knows when a session was last used.
	seenEvery = 10 * time.Minute
	// maxSightings is how many sightings of sessions wait to be stored.
	maxSightings = 1000
)

// Sessions starts, checks and ends sessions. It remembers the access of the users
// who call, and Run keeps that up to date: a change that another server or a command
// has made takes effect within two seconds.
//
// While the store cannot be read, a token that was good when its user's access was
// last read stays good. A token about which this server knows nothing is refused, with
// an error of kind Unavailable.
type Sessions struct {
	store  sessionStore
	tokens *Tokens
	log    *slog.Logger

	reading   singleflight.Group // by user
	sightings chan sighting
	wake      chan struct{} // has room for one signal: check the watches in recheck now

	mu      sync.Mutex
	users   *simplelru.LRU[domain.UserID, *known]
	forgets uint64    // how often users were forgotten: a read that began before is not kept
	last    int64     // the number of the last change that Run has read
	polled  time.Time // when Run last began to read the changes, successfully
	watches map[domain.UserID]map[*watch]struct{}
	recheck map[domain.UserID]struct{} // users whose watches are to be checked
}

type sessionStore interface {
	AccessStore
	NetworkStore
}

// NewSessions returns Sessions that issues tokens, and makes Authenticate check those
// tokens against the store.
func NewSessions(store sessionStore, tokens *Tokens, log *slog.Logger) *Sessions {
	users, _ := simplelru.NewLRU[domain.UserID, *known](maxKnown, nil) // fails only for a size of 0
	s := &Sessions{
		store: store, tokens: tokens, log: cmp.Or(log, slog.New(slog.DiscardHandler)),
		sightings: make(chan sighting, maxSightings), wake: make(chan struct{}, 1), users: users,
		watches: map[domain.UserID]map[*watch]struct{}{}, recheck: map[domain.UserID]struct{}{},
	}
	tokens.sessions = s
	return s
}

// check returns an error if a bearer may not call: of kind Unauthenticated if the
// token is not good, and of kind Unavailable if that is not known. A nil Sessions
// checks nothing.
func (s *Sessions) check(ctx context.Context, b Bearer) error {
	if s == nil || b.User == "" {
		return nil
	}
	k, err := s.find(ctx, b)
	if err != nil {
		return err
	}
	if err := k.permit(b); err != nil {
		return err
	}
	s.sight(ctx, k, b)
	return nil
}

// find returns a user's access, as recent as it must be to decide about a token.
func (s *Sessions) find(ctx context.Context, b Bearer) (*known, error) {
	had, fresh := s.remembered(b.User)
	if fresh && had.settles(b) {
		return had, nil
	}
	shared, err, _ := s.reading.Do(string(b.User), func() (any, error) { return s.read(context.WithoutCancel(ctx), b.User) })
	k, _ := shared.(*known)
	if err == nil && !k.settles(b) { // the reading may have begun before the session
		k, err = s.read(ctx, b.User)
	}
	switch {
	case err == nil:
		return k, nil
	case had != nil && had.settles(b) && ctx.Err() == nil:
		return had, nil
	case ctx.Err() != nil, domain.KindOf(err) == domain.Unavailable:
		return nil, err
	default:
		unknown := &domain.Error{Kind: domain.Unavailable, Msg: "it is not known now whether the session has ended; try again", RetryAfter: time.Second}
		return nil, fmt.Errorf("%w: %w", unknown, err)
	}
}

// remembered returns a user's access as it was last read, or nil, and whether it can
// still be relied on.
func (s *Sessions) remembered(user domain.UserID) (k *known, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.users.Get(user)
	if !ok {
		return nil, false
	}
	asOf := k.read
	if !k.stale && s.polled.After(asOf) {
		asOf = s.polled
	}
	return k, time.Since(asOf) < freshFor
}

// read reads a user's access, and remembers it unless it may have changed meanwhile.
func (s *Sessions) read(ctx context.Context, user domain.UserID) (*known, error) {
	began := time.Now()
	s.mu.Lock()
	forgets := s.forgets
	s.mu.Unlock()
	access, err := s.store.Access(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read the access of %s: %w", user, err)
	}
	k := newKnown(access, began)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgets == forgets {
		s.users.Add(user, k)
	}
	return k, nil
}

// forget removes what is remembered of users, and has their watches checked.
func (s *Sessions) forget(users ...domain.UserID) {
	if len(users) == 0 {
		return
	}
	s.mu.Lock()
	s.forgets++
	for _, user := range users {
		s.users.Remove(user)
		s.reading.Forget(string(user)) // requests from now on must not share what it has read
		if s.watches[user] != nil {
			s.recheck[user] = struct{}{}
		}
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Sessions) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sighting is the use of a session, to be stored. A token from before there were
// sessions has none, and then only its network is stored.
type sighting struct {
	user    domain.UserID
	id      SessionID
	at      time.Time
	by      Client
	network string // the narrowest, if it is known
}

// sight notes that a token issued here is used. It drops what is more than Run can
// store.
func (s *Sessions) sight(ctx context.Context, k *known, b Bearer) {
	now := time.Now()
	s.mu.Lock()
	session := k.sessions[b.Session]
	if b.Session == (SessionID{}) && b.Identity == (domain.Identity{}) {
		session = &k.others
	}
	due := session != nil && now.Sub(session.seen) >= seenEvery
	if due {
		session.seen = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	seen := sighting{user: b.User, id: b.Session, at: now, by: clientOf(ctx)}
	if networks := networksOf(ctx); len(networks) > 0 {
		seen.network = networks[0]
	}
	select {
	case s.sightings <- seen:
	default:
	}
}

// keepSightings stores the sightings until ctx ends.
func (s *Sessions) keepSightings(ctx context.Context) {
	var failing outage.Outage
	for {
		select {
		case <-ctx.Done():
			return
		case seen := <-s.sightings:
			err := s.keep(ctx, seen)
			switch {
			case err == nil:
				failing.Ended(s.log, "it can be stored again when sessions are used")
			case ctx.Err() == nil:
				failing.Failed(s.log, "it cannot be stored when a session was used", err)
			}
		}
	}
}

// keep stores a sighting. The network of a user who never logs in is known then too.
func (s *Sessions) keep(ctx context.Context, seen sighting) error {
	if seen.id != (SessionID{}) {
		if err := s.store.SeeSession(ctx, seen.user, seen.id, seen.at, seen.by); err != nil {
			return err
		}
	}
	if seen.network == "" {
		return nil
	}
	network := networkID(seen.user, seen.network)
	since, err := s.store.KnownNetwork(ctx, seen.user, network)
	if err != nil || seen.at.Sub(since) < rememberEvery {
		return err
	}
	return s.store.RememberNetwork(ctx, seen.user, network, seen.at)
}
