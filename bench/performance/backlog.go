package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"chirp/bench/history"
	"chirp/internal/apitest"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// backlog is what is appended to a log while no projector runs.
type backlog struct {
	facts      []domain.Event
	deliveries int // entries that its chirps add to timelines
}

// chirpShare is the share of chirps, in percent, in a backlog of the network. The rest
// are follows and unfollows.
const chirpShare = 40

// newBacklog returns events of the network: chirps of users chosen at random, and users
// who begin and stop to follow others, so that at the end all follow whom they did.
func (w *world) newBacklog(events int) backlog {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) // follows of earlier runs cannot be repeated
	var b backlog
	follows := w.strangers(r, events*(100-chirpShare)/200)
	chirps := events - 2*len(follows)
	for i, left := 0, chirps+2*len(follows); left > 0; left-- {
		if r.IntN(left) < chirps {
			chirps--
			author := r.IntN(w.network.Users)
			b.facts = append(b.facts, newChirp(author))
			b.deliveries += len(w.followers[author])
			continue
		}
		pair := follows[i%len(follows)]
		if i < len(follows) {
			b.facts = append(b.facts, domain.UserFollowed{FollowerID: history.UserID(pair[0]), FolloweeID: history.UserID(pair[1])})
		} else {
			b.facts = append(b.facts, domain.UserUnfollowed{FollowerID: history.UserID(pair[0]), FolloweeID: history.UserID(pair[1])})
		}
		i++
	}
	return b
}

// chirpsOf returns a backlog of chirps of one author.
func (w *world) chirpsOf(author, n int) backlog {
	b := backlog{deliveries: n * len(w.followers[author])}
	for range n {
		b.facts = append(b.facts, newChirp(author))
	}
	return b
}

// strangers returns pairs of users of whom the first does not follow the second.
func (w *world) strangers(r *rand.Rand, n int) [][2]int {
	chosen := map[[2]int]bool{}
	for _, f := range w.network.Follows {
		chosen[f] = true
	}
	var pairs [][2]int
	for len(pairs) < n {
		pair := [2]int{r.IntN(w.network.Users), r.IntN(w.network.Users)}
		if pair[0] != pair[1] && !chosen[pair] {
			chosen[pair] = true
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

func newChirp(author int) domain.ChirpPosted {
	var id [16]byte
	for i := range id {
		id[i] = byte(rand.IntN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80 // a UUID of version 7
	return domain.ChirpPosted{ChirpID: domain.ChirpIDFrom(id), AuthorID: history.UserID(author), Content: "What a chirp says in the middle of a measurement is about this long."}
}

// eventsOfAppend is far more than a command has, so that appending is fast.
const eventsOfAppend = 500

// append appends a backlog to the log of a site that has no server, and returns the
// position at which it ends.
func (at *site) append(ctx context.Context, b backlog) (end domain.Position, err error) {
	place := apitest.Embedded(at.place[1])
	if at.store == onMongo {
		place = apitest.OnMongoDB(at.place[1], at.place[3])
	}
	store, err := place.OpenToServe(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	versions := eventstore.Versions{}
	for facts := range slices.Chunk(b.facts, eventsOfAppend) {
		a, err := appendOf(facts, versions)
		if err != nil {
			return 0, err
		}
		commit, err := store.Log().Append(ctx, a)
		if err != nil {
			return 0, fmt.Errorf("append a backlog: %w", err)
		}
		end = commit.Position()
		for _, e := range a.Events {
			versions[e.Stream]++
		}
	}
	return end, nil
}

// appendOf returns the append of some facts, to streams at some versions.
func appendOf(facts []domain.Event, versions eventstore.Versions) (eventstore.Append, error) {
	a := eventstore.Append{
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "backlog", ID: fmt.Sprint(time.Now().UnixNano())}, Fingerprint: "backlog"},
		RecordedAt: time.Now(), Expected: eventstore.Versions{},
	}
	for _, fact := range facts {
		event, err := eventstore.Encode(fact)
		if err != nil {
			return a, err
		}
		a.Expected[event.Stream] = versions[event.Stream]
		a.Events = append(a.Events, event)
	}
	return a, nil
}
