// Package demo fills an empty store with a small network of made-up people and
// lets them go on posting, so that a first look at a new server shows a living
// feed. All is done by commands, as users do it: nothing else knows of the demo.
//
// Whom it makes, who follows whom, and what everybody has posted is the same each
// time; when it was, counts back from now.
package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
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
	// Pause waits between a post and the next. By default it is 10 to 30
	// seconds.
	Pause  func(ctx context.Context)
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
// days. A store that is not empty is refused and left as it is. A filling that
// ends with an error leaves what it has done, and the store is then not empty.
func Fill(ctx context.Context, cfg Config) (*Network, error) {
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
	n := &Network{Config: cfg, people: people, lines: lines, random: rand.New(rand.NewPCG(seed, seed))}
	head, err := cfg.Commands.Events.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("look whether the store is empty: %w", err)
	}
	if head.Position > 0 {
		return nil, domain.Errorf(domain.Conflict, "--demo is for an empty store, and this one has %d events; "+
			"leave --demo out to go on with what is there, or name an empty store, for example with --data chirp-demo", head.Position)
	}
	for _, d := range n.past(cfg.Commands.Now()) {
		if err := d.do(ctx, n.at(d.when)); err != nil {
			return nil, fmt.Errorf("fill the store with the demo: %w", err)
		}
	}
	return n, nil
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
	for n.Pause(ctx); ctx.Err() == nil; n.Pause(ctx) {
		author, text := n.next()
		_, err := n.Commands.PostChirp(ctx, command.PostChirp{Author: author, Content: text})
		if err != nil && ctx.Err() == nil {
			n.Logger.Warn("the demo could not post", "error", err)
		}
	}
	return nil
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

func pause(ctx context.Context) {
	timer := time.NewTimer(10*time.Second + rand.N(20*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
