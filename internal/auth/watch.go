package auth

import (
	"context"
	"math"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// pollEvery is how often a server reads which users' access has changed.
const pollEvery = 500 * time.Millisecond

// watch is a connection that ends with its caller's token.
type watch struct {
	bearer Bearer
	end    func(error)
}

// WatchSession calls end with the reason when the caller's token stops being good,
// until ctx ends. ctx is one that Authenticate returned.
func WatchSession(ctx context.Context, tokens *Tokens, end func(error)) {
	if b, ok := bearerOf(ctx); ok && b.User != "" && tokens.sessions != nil {
		tokens.sessions.watch(ctx, b, end)
	}
}

func (s *Sessions) watch(ctx context.Context, b Bearer, end func(error)) {
	w := &watch{b, end}
	s.mu.Lock()
	if s.watches[b.User] == nil {
		s.watches[b.User] = map[*watch]struct{}{}
	}
	s.watches[b.User][w] = struct{}{}
	k, ok := s.users.Get(b.User)
	if !ok || k.permit(b) != nil { // it has changed since Authenticate
		s.recheck[b.User] = struct{}{}
		s.signal()
	}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() { s.unwatch(w) })
}

func (s *Sessions) unwatch(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches[w.bearer.User], w)
	if len(s.watches[w.bearer.User]) == 0 {
		delete(s.watches, w.bearer.User)
	}
}

// Run keeps what is remembered up to date, ends the connections whose token is no
// longer good, and stores when sessions were used, until ctx ends.
func (s *Sessions) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { s.keepSightings(ctx) })
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var failing outage.Outage
	for started := false; ; {
		err := s.poll(ctx, started)
		started = started || err == nil
		if err == nil {
			err = s.checkWatches(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failing.Failed(s.log, "it cannot be read which sessions have ended", err)
		default:
			failing.Ended(s.log, "it can be read again which sessions have ended")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// poll reads whose access has changed, and forgets it. Before it has started, it only
// reads the number of the last change, and relies on nothing that was read before.
func (s *Sessions) poll(ctx context.Context, started bool) error {
	began := time.Now()
	if !started {
		_, last, err := s.store.AccessChanges(ctx, math.MaxInt64)
		if err == nil {
			s.distrust(last)
		}
		return err
	}
	for {
		users, last, err := s.store.AccessChanges(ctx, s.last)
		switch {
		case err != nil:
			return err
		case len(users) == 0 && last != s.last: // another store's, or of a deleted user
			s.distrust(last)
			return nil
		case last == s.last:
			s.mu.Lock()
			s.polled = began
			s.mu.Unlock()
			return nil
		}
		s.last = last
		s.forget(users...)
	}
}

// distrust makes every token be checked against the store again, if it can be read,
// and every watch too.
func (s *Sessions) distrust(last int64) {
	s.mu.Lock()
	s.forgets++
	s.last = last
	for _, k := range s.users.Values() {
		k.stale = true
	}
	for user := range s.watches {
		s.recheck[user] = struct{}{}
	}
	s.mu.Unlock()
}

// checkWatches checks the watches of users whose access has changed.
func (s *Sessions) checkWatches(ctx context.Context) error {
	s.mu.Lock()
	users := make([]domain.UserID, 0, len(s.recheck))
	for user := range s.recheck {
		users = append(users, user)
	}
	s.mu.Unlock()
	for _, user := range users {
		if err := s.checkWatchesOf(ctx, user); err != nil {
			return err
		}
	}
	return nil
}

// checkWatchesOf ends the connections of a user whose tokens are not good. If the
// user's access cannot be read, the user stays to be checked.
func (s *Sessions) checkWatchesOf(ctx context.Context, user domain.UserID) error {
	s.mu.Lock()
	delete(s.recheck, user)
	s.mu.Unlock()
	k, err := s.read(ctx, user)
	if err != nil {
		s.mu.Lock()
		s.recheck[user] = struct{}{}
		s.mu.Unlock()
		return err
	}
	for w, reason := range s.refused(user, k) {
		w.end(reason)
	}
	return nil
}

// refused returns the watches of a user whose tokens are not good, and why.
func (s *Sessions) refused(user domain.UserID, k *known) map[*watch]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := map[*watch]error{}
	for w := range s.watches[user] {
		if reason := k.permit(w.bearer); reason != nil {
			refused[w] = reason
		}
	}
	return refused
}
