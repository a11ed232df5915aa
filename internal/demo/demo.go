// Package demo fills an empty store with a small network of made-up people and
// lets them go on posting, so that a first look at a new server shows a living
// feed. All is done by commands, as users do it: nothing else knows of the demo.
//
// Whom it makes, who follows whom, and what everybody has posted is the same each
// time; when it was, counts back from now. Each thing that was done has a command
// id, by which a filling that was cut off is taken up again.
package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
)

// Username is that of one of the people, who follows many.
const Username = "maren_k"

// Password is that of all the people in the demo.
const Password = "chirp-demo"

// Config says what the demo stands on.
type Config struct {
	// Commands does what the people do from now on; its log and its clock are
	// those of the past as well.
	Commands *command.Handler
	// SaveCredential keeps the password of a user of the past.
	SaveCredential func(ctx context.Context, user domain.UserID, password string) error
	// Pause waits before a post, of which so many went before. By default it
	// is 2 seconds, then 5, and from then on 10 to 30.
	Pause  func(ctx context.Context, posted int)
	Logger *slog.Logger
}

// Network is the people of a store that Fill has filled.
type Network struct {
	Config
	people []person
	lines  []line
	random *rand.Rand
}

// seed makes the demo the same each time.
const seed = 1812

// Fill makes the people, their follows and what they have posted in the last
// days. Three things might happen:
//
//  1. The store is empty: all is done.
//  2. The demo began the store: what a filling that was cut off has left out is
//     done, for the same time, and nothing is done twice.
//  3. The store has other events: a Conflict, and it is left as it is.
func Fill(ctx context.Context, cfg Config) (*Network, error) {
	n, err := newNetwork(cfg)
	if err != nil {
		return nil, err
	}
	past := n.past(cfg.Commands.Now())
	first, err := n.first(ctx)
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		err = n.fill(ctx, past)
	case first.Actor != past[0].actor(n):
		err = n.refuse(ctx)
	case first.CommandID != past[0].id: // an older program's demo, which had no command ids
		err = n.meet(ctx)
	default:
		err = n.goOn(ctx, past, first.RecordedAt.Sub(past[0].when))
	}
	switch domain.KindOf(err) {
	case domain.UsernameTaken, domain.NotFound: // others came before the people did
		err = n.refuse(ctx)
	}
	if err != nil {
		return nil, err
	}
	n.random = rand.New(rand.NewPCG(seed, uint64(cfg.Commands.Now().UnixNano())))
	return n, nil
}

func newNetwork(cfg Config) (*Network, error) {
	people, err := parsePeople(peopleText)
	if err != nil {
		return nil, err
	}
	lines, err := parseLines(liveText)
	if err != nil {
		return nil, err
	}
	if cfg.Pause == nil {
		cfg.Pause = pause
	}
	return &Network{Config: cfg, people: people, lines: lines, random: rand.New(rand.NewPCG(seed, seed))}, nil
}

// first returns the store's first event, nil if it is empty.
func (n *Network) first(ctx context.Context) (*eventstore.Event, error) {
	head, err := n.Commands.Events.Head(ctx)
	if err != nil || head.Position == 0 {
		return nil, wrapped("look whether the store is empty", err)
	}
	events, err := n.Commands.Events.ReadAll(ctx, 0, 1)
	if err == nil && len(events) == 0 {
		err = errors.New("the first event is missing")
	}
	if err != nil {
		return nil, wrapped("look whose the store is", err)
	}
	return &events[0], nil
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (n *Network) refuse(ctx context.Context) error {
	head, err := n.Commands.Events.Head(ctx)
	if err != nil {
		return wrapped("look whether the store is empty", err)
	}
	return domain.Errorf(domain.Conflict, "--demo is for an empty store, or one that it has filled, and this one has %d events of others; "+
		"leave --demo out to go on with what is there, or name an empty store by another --data or --mongodb-database", head.Position)
}

// fill does what is in the past and was not done.
func (n *Network) fill(ctx context.Context, past []deed) error {
	for _, d := range past {
		err := d.do(ctx, n.at(d.when))
		if err != nil && domain.KindOf(err) != domain.AlreadyFollowing { // a visitor may have done that
			return wrapped("fill the store with the demo", err)
		}
	}
	return nil
}

// goOn takes up a filling that began so much earlier, unless it was complete.
func (n *Network) goOn(ctx context.Context, past []deed, earlier time.Duration) error {
	switch err := n.meet(ctx); {
	case err == nil:
		last := past[len(past)-1]
		_, done, err := n.Commands.Events.Committed(ctx, eventstore.CommandKey{Actor: last.actor(n), ID: last.id})
		if done || err != nil {
			return wrapped("look whether the demo is complete", err)
		}
	case domain.KindOf(err) != domain.NotFound:
		return err
	}
	for i := range past {
		past[i].when = past[i].when.Add(earlier)
	}
	return n.fill(ctx, past)
}

// meet finds the people in the store. If one is missing, the error is NotFound.
func (n *Network) meet(ctx context.Context) error {
	for i := range n.people {
		user, err := n.Commands.FindUser(ctx, n.people[i].name)
		if err != nil {
			return wrapped("find "+n.people[i].name, err)
		}
		n.people[i].id = user.ID
	}
	return nil
}

// at gives a handler of commands at a moment in the past.
func (n *Network) at(when time.Time) *command.Handler {
	return &command.Handler{
		Events: n.Commands.Events, SaveCredential: n.SaveCredential,
		Now: func() time.Time { return when }, NewID: func() [16]byte { return n.id(when) },
	}
}

// id makes a UUID of version 7 for a moment in the past.
func (n *Network) id(when time.Time) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(when.UnixMilli())<<16|0x7000|n.random.Uint64()&0x0fff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|n.random.Uint64()>>2)
	return id
}

// Run posts now and then until ctx ends. What the store cannot take now is left
// out.
func (n *Network) Run(ctx context.Context) error {
	for posted := 0; ; posted++ {
		if n.Pause(ctx, posted); ctx.Err() != nil {
			return nil
		}
		author, text := n.next()
		_, err := n.Commands.PostChirp(ctx, command.PostChirp{Author: author, Content: text})
		if err != nil && ctx.Err() == nil {
			n.Logger.Warn("the demo could not post", "error", err)
		}
	}
}

// next gives what is posted next, by somebody who cares for it.
func (n *Network) next() (domain.UserID, string) {
	l := n.lines[n.random.IntN(len(n.lines))]
	var authors []domain.UserID
	for _, p := range n.people {
		if p.cares(l.topic) {
			authors = append(authors, p.id)
		}
	}
	return authors[n.random.IntN(len(authors))], l.text(n.random)
}

func pause(ctx context.Context, posted int) {
	wait := 10*time.Second + rand.N(20*time.Second)
	if soon := []time.Duration{2 * time.Second, 5 * time.Second}; posted < len(soon) {
		wait = soon[posted] // who has just opened the page sees how it comes in
	}
	outage.Pause(ctx, wait)
}
