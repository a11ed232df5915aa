package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// eventsPerAppend is far more than a command has, so that filling is fast.
const eventsPerAppend = 500

// filler writes a log. The same options produce the same log, except for the time.
type filler struct {
	log    eventstore.Log
	random *rand.Rand
	next   eventstore.Append
	writes int
}

// fill writes the registrations, and then follows and chirps in random order. It
// draws the followees so that few users have many followers.
func fill(ctx context.Context, log eventstore.Log, o options) error {
	f := &filler{log: log, random: rand.New(rand.NewPCG(1, 2))}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if head.Position != 0 {
		return fmt.Errorf("the log is not empty: it is at position %d", head.Position)
	}
	began := time.Now()
	for n := range o.users {
		id, name := user(n), domain.Username(fmt.Sprintf("user_%d", n))
		if err := f.add(ctx, domain.UserRegistered{UserID: id, Username: name}); err != nil {
			return err
		}
		if err := f.add(ctx, domain.UsernameReserved{UserID: id, Username: name}); err != nil {
			return err
		}
	}
	if err := f.mix(ctx, o); err != nil {
		return err
	}
	if err := f.write(ctx); err != nil {
		return err
	}
	if head, err = log.Head(ctx); err != nil {
		return err
	}
	fmt.Printf("%d events written in %.1f s\n", head.Position, time.Since(began).Seconds())
	return nil
}

func (f *filler) mix(ctx context.Context, o options) error {
	followed := make(map[[2]int]bool, o.follows)
	for follows, chirps := o.follows, o.chirps; follows+chirps > 0; {
		if f.random.IntN(follows+chirps) < chirps {
			chirps--
			id := domain.ChirpIDFrom(uuid(3, chirps))
			fact := domain.ChirpPosted{ChirpID: id, AuthorID: user(f.random.IntN(o.users)), Content: "What a chirp says in the middle of a measurement is about this long."}
			if err := f.add(ctx, fact); err != nil {
				return err
			}
			continue
		}
		// The cube of a random number below 1 is mostly small.
		x := f.random.Float64()
		pair := [2]int{f.random.IntN(o.users), int(x * x * x * float64(o.users))}
		if pair[0] == pair[1] || followed[pair] {
			continue
		}
		followed[pair] = true
		follows--
		a, b := user(pair[0]), user(pair[1])
		if err := f.add(ctx, domain.UserFollowed{FollowerID: a, FolloweeID: b}); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) add(ctx context.Context, fact domain.Event) error {
	event, err := eventstore.Encode(fact)
	if err != nil {
		return err
	}
	f.next.Events = append(f.next.Events, event)
	if len(f.next.Events) < eventsPerAppend {
		return nil
	}
	return f.write(ctx)
}

func (f *filler) write(ctx context.Context) error {
	if len(f.next.Events) == 0 {
		return nil
	}
	f.writes++
	f.next.Command = eventstore.Command{
		CommandKey: eventstore.CommandKey{Actor: "filler", ID: fmt.Sprint(f.writes)}, Fingerprint: "fill",
	}
	f.next.RecordedAt = time.Now()
	_, err := f.log.Append(ctx, f.next)
	f.next = eventstore.Append{}
	return err
}

func user(n int) domain.UserID { return domain.UserIDFrom(uuid(1, n)) }

// uuid returns ids that sort by the order they are made in, as real ones do.
func uuid(kind byte, n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], uint64(n)<<16)
	id[6], id[8], id[15] = 0x70, 0x80, kind
	binary.BigEndian.PutUint32(id[9:13], uint32(n)*2654435761)
	return id
}
