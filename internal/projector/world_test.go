package projector_test

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector/projectortest"
)

// world is a set of users in a log that other worlds may share. Its acts are valid,
// and it records their events.
type world struct {
	t        rapid.TB
	log      eventstore.Log
	users    []domain.UserID
	follows  map[[2]int]bool
	last     [2]int // the last pair in follows that changed
	versions map[domain.StreamID]int64
	next     eventstore.Append // not yet written
	oracle   projectortest.Oracle
	events   []eventstore.Event
	// unchecked is set if the oracle is not to see the events.
	unchecked bool
}

func newWorld(t rapid.TB, log eventstore.Log) *world {
	return &world{t: t, log: log, follows: make(map[[2]int]bool), versions: make(map[domain.StreamID]int64)}
}

// register adds users and returns the index of the first.
func (w *world) register(n int) int {
	first := len(w.users)
	for range n {
		id := uuid.Must(uuid.NewV7())
		user := domain.UserIDFrom(id)
		name := domain.Username("u" + strings.ReplaceAll(id.String(), "-", "")[18:32])
		w.add(domain.UserRegistered{UserID: user, Username: name})
		w.add(domain.UsernameReserved{UserID: user, Username: name})
		w.users = append(w.users, user)
	}
	return first
}

// identify adds an external identity that a user has, which no view shows.
func (w *world) identify(user int) {
	who := domain.Identity{Issuer: "https://issuer.example", Subject: string(w.users[user])}
	w.add(domain.IdentityReserved{UserID: w.users[user], Issuer: who.Issuer, Subject: who.Subject})
}

// post adds chirps by a user.
func (w *world) post(author, n int) {
	for range n {
		id := domain.ChirpIDFrom(uuid.Must(uuid.NewV7()))
		w.add(domain.ChirpPosted{ChirpID: id, AuthorID: w.users[author], Content: "hello"})
	}
}

// follow adds a follow, or an unfollow if there is one already.
func (w *world) follow(follower, followee int) {
	pair := [2]int{follower, followee}
	a, b := w.users[follower], w.users[followee]
	if w.follows[pair] {
		w.add(domain.UserUnfollowed{FollowerID: a, FolloweeID: b})
	} else {
		w.add(domain.UserFollowed{FollowerID: a, FolloweeID: b})
	}
	w.follows[pair] = !w.follows[pair]
	w.last = pair
}

// add adds an event to the next append.
func (w *world) add(fact domain.Event) {
	event, err := eventstore.Encode(fact)
	if err != nil {
		w.t.Fatalf("encode %T: %v", fact, err)
	}
	if len(w.next.Events) == 500 {
		w.write()
	}
	if w.next.Expected == nil {
		w.next.Expected = make(eventstore.Versions)
	}
	if _, written := w.next.Expected[event.Stream]; !written {
		w.next.Expected[event.Stream] = w.versions[event.Stream]
	}
	w.next.Events = append(w.next.Events, event)
	w.versions[event.Stream]++
}

// write appends what was added.
func (w *world) write() {
	if len(w.next.Events) == 0 {
		return
	}
	w.next.Command = eventstore.Command{
		CommandKey:  eventstore.CommandKey{Actor: "world", ID: uuid.NewString()},
		Fingerprint: "test",
	}
	w.next.RecordedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(len(w.events)) * time.Second)
	commit, err := w.log.Append(context.Background(), w.next)
	if err != nil {
		w.t.Fatalf("append: %v", err)
	}
	w.next = eventstore.Append{}
	w.events = append(w.events, commit.Events...)
	if w.unchecked {
		return
	}
	if err := w.oracle.Append(commit.Events); err != nil {
		w.t.Fatalf("oracle: %v", err)
	}
}

// head is the position of the world's last event.
func (w *world) head() domain.Position {
	if len(w.events) == 0 {
		return 0
	}
	return w.events[len(w.events)-1].Position
}

// act adds the act that kind stands for, by or about the users a and b. Frequent
// are those that are hard to project: a pair that follows and unfollows again and
// again, and crowds that make a user a celebrity and then leave.
func (w *world) act(kind, a, b int) {
	a, b = a%len(w.users), b%len(w.users)
	switch {
	case kind < 3 && len(w.users) < 8:
		w.identify(w.register(1))
	case kind < 35:
		w.post(a, 1)
	case kind < 40:
		w.post(a, 3)
	case kind < 65:
		if a != b {
			w.follow(a, b)
		}
	case kind < 85: // the last pair, again and again
		if w.last[0] != w.last[1] {
			w.follow(w.last[0], w.last[1])
		}
	default: // a crowd follows a user, or unfollows
		for u := range w.users {
			if u != b && w.follows[[2]int{u, b}] == (kind%2 == 0) {
				w.follow(u, b)
			}
		}
		w.post(b, 1)
	}
}
