// Package demo fills an empty store with a small network of invented people who
// keep posting, so that a new server shows a lively feed at first sight. It uses
// commands only, like real users; nothing else knows about the demo.
//
// The people, their follows and their past posts are the same each time, at times
// that count back from now. Each action has a command id, so that Fill can resume
// after it was interrupted.
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

// Username is the name of a person who follows many others.
const Username = "maren_k"

// Password is the password of all people in the demo.
const Password = "chirp-demo"

// Config is what a demo needs.
type Config struct {
	// Commands carries out the people's commands from now on. The past ones use
	// its log and its clock too.
	Commands *command.Handler
	// SaveCredential stores the password of a user who registered in the past.
	SaveCredential func(ctx context.Context, user domain.UserID, password string) error
	// Pause waits before a post, given the number of posts before it. By default
	// it waits 2 seconds, then 5, and then 10 to 30.
	Pause  func(ctx context.Context, posted int)
	Logger *slog.Logger
}

// Network is the people in a store that Fill has filled.
type Network struct {
	Config
	people []person
	lines  []line
	random *rand.Rand
}

// seed makes the demo the same each time.
const seed = 1812

// Fill creates the people, their follows and their posts of the last days. Three
// things might happen:
//
//  1. The store is empty: Fill fills it.
//  2. The store's first events are the demo's: Fill completes what an interrupted
//     call left out, at the same times. Nothing happens twice.
//  3. The store has other events: Fill changes nothing; the error is a Conflict.
func Fill(ctx context.Context, cfg Config) (*Network, error) {
	n, err := newNetwork(cfg)
	if err != nil {
		return nil, err
	}
	history := n.history(cfg.Commands.Now())
	first, err := n.firstEvent(ctx)
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		err = n.fill(ctx, history)
	case first.Actor != history[0].actor(n):
		err = n.refuse(ctx)
	case first.CommandID != history[0].id: // the demo of an older version, which had no command ids
		err = n.findPeople(ctx)
	default:
		err = n.resume(ctx, history, first.RecordedAt.Sub(history[0].when))
	}
	switch domain.KindOf(err) {
	case domain.UsernameTaken, domain.NotFound: // the first events are not the demo's after all
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

// firstEvent returns the store's first event, nil if the store is empty.
func (n *Network) firstEvent(ctx context.Context) (*eventstore.Event, error) {
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
	return domain.Errorf(domain.Conflict, "--demo needs an empty store, or one that it has filled, but this one has %d other events; "+
		"leave --demo out to use the store as it is, or choose an empty one with another --data or --mongodb-database", head.Position)
}

// fill carries out the actions of a history. Those that were carried out before
// have no effect.
func (n *Network) fill(ctx context.Context, history []action) error {
	for _, a := range history {
		err := a.run(ctx, n.handlerAt(a.when))
		if err != nil && domain.KindOf(err) != domain.AlreadyFollowing { // a visitor who logged in may have done that
			return wrapped("fill the store with the demo", err)
		}
	}
	return nil
}

// resume completes a history that another call began earlier, by that duration.
func (n *Network) resume(ctx context.Context, history []action, earlier time.Duration) error {
	switch err := n.findPeople(ctx); {
	case err == nil:
		last := history[len(history)-1]
		_, done, err := n.Commands.Events.Committed(ctx, eventstore.CommandKey{Actor: last.actor(n), ID: last.id})
		if done || err != nil {
			return wrapped("look whether the demo is complete", err)
		}
	case domain.KindOf(err) != domain.NotFound:
		return err
	}
	for i := range history {
		history[i].when = history[i].when.Add(earlier)
	}
	return n.fill(ctx, history)
}

// findPeople looks up the people's ids in the store. If a person is missing, the
// error is NotFound.
func (n *Network) findPeople(ctx context.Context) error {
	for i := range n.people {
		user, err := n.Commands.FindUser(ctx, n.people[i].name)
		if err != nil {
			return wrapped("find "+n.people[i].name, err)
		}
		n.people[i].id = user.ID
	}
	return nil
}

// handlerAt returns a command handler whose clock stands at a time in the past.
func (n *Network) handlerAt(when time.Time) *command.Handler {
	return &command.Handler{
		Events: n.Commands.Events, SaveCredential: n.SaveCredential,
		Now: func() time.Time { return when }, NewID: func() [16]byte { return n.newID(when) },
	}
}

// newID returns a UUID of version 7 for a time in the past.
func (n *Network) newID(when time.Time) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(when.UnixMilli())<<16|0x7000|n.random.Uint64()&0x0fff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|n.random.Uint64()>>2)
	return id
}

// Run posts now and then until ctx ends. It skips a post that the store cannot
// take at the moment.
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

// next returns a text about a topic, and a person who cares for that topic.
func (n *Network) next() (domain.UserID, string) {
	l := n.lines[n.random.IntN(len(n.lines))]
	var authors []domain.UserID
	for _, p := range n.people {
		if p.caresFor(l.topic) {
			authors = append(authors, p.id)
		}
	}
	return authors[n.random.IntN(len(authors))], l.text(n.random)
}

func pause(ctx context.Context, posted int) {
	wait := 10*time.Second + rand.N(20*time.Second)
	if soon := []time.Duration{2 * time.Second, 5 * time.Second}; posted < len(soon) {
		wait = soon[posted] // a visitor who has just opened the page sees a post arrive
	}
	outage.Pause(ctx, wait)
}
