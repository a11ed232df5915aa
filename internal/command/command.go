// Package command carries out commands: it checks the input, loads the
// aggregates, lets them decide, and appends their events to the log. A command
// that loses a race is decided again on the new state. An append whose outcome
// is unknown is sent again under the same command id, which the log deduplicates.
//
// # Command ids
//
// Every command has an id, unique per actor. A caller that chooses the id may
// repeat the command under it. Nothing then happens twice, and the result is that
// of the first call, with Repeated set, even if the rules would refuse the
// command by now: a repeated follow returns the first follow's result, not
// AlreadyFollowing. The same id with another command is a Conflict. Commands that
// failed are not remembered.
package command

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
)

// Handler has a method for each command. Its methods may be called concurrently.
// It must not be copied after the first call.
type Handler struct {
	Events eventstore.Log
	// Now returns the time at which events are recorded.
	Now func() time.Time
	// NewID returns a new UUID of version 7.
	NewID func() [16]byte
	// SaveCredential stores a new user's password durably.
	SaveCredential func(ctx context.Context, user domain.UserID, password string) error
	// Away is called with each wait for the log to append, and calls it. It may be nil.
	Away func(ctx context.Context, wait func())

	known   known
	loading singleflight.Group // of users
}

// Meta is what every command may carry in addition to its input.
type Meta struct {
	// CommandID is chosen by the caller: 1 to 64 printable ASCII characters. If
	// it is empty, one is generated.
	CommandID string
	// CorrelationID and TraceID link the command's events to the request. Both
	// may be empty.
	CorrelationID string
	TraceID       string
}

const (
	// maxDecisions bounds how often a command is decided. It is decided again
	// after losing a race, and each lost race is another command's success.
	maxDecisions = 16
	// maxAppends bounds how often an append of unknown outcome is sent, and
	// appendTimeout how long that may take in total: an answer that advises to
	// repeat the command is better for the caller than none.
	maxAppends    = 5
	appendTimeout = 5 * time.Second
	// firstPause is the pause before the second append. Each further one is
	// twice as long; together they take 1.5 seconds.
	firstPause = 100 * time.Millisecond
)

// execution is the execution of one command.
type execution struct {
	Meta
	command eventstore.Command
	// named is set if the caller chose the command id, so that an earlier commit
	// may exist under it.
	named bool
	// decide returns the events to append, or the reason why the command is
	// refused. It loads the streams that it decides on through d.
	decide func(ctx context.Context, d *decision) ([]domain.Event, error)
}

// newExecution checks the command id, or generates one. The fingerprint covers
// the command's name and its normalized inputs, none of which may be secret.
func (h *Handler) newExecution(meta Meta, actor, name string, inputs ...string) (execution, error) {
	x := execution{Meta: meta, named: meta.CommandID != ""}
	if !x.named {
		x.CommandID = uuid.UUID(h.NewID()).String()
	}
	if err := domain.CheckCommandID(x.CommandID); err != nil {
		return execution{}, err
	}
	x.command = eventstore.Command{
		CommandKey:  eventstore.CommandKey{Actor: actor, ID: x.CommandID},
		Fingerprint: fingerprint(name, inputs...),
	}
	return x, nil
}

// fingerprint returns 128 bits of a SHA-256 hash. The hash covers the lengths
// too, because different inputs may join to the same text. Fingerprints are
// stored in the log, so they must never be computed differently: repeats would
// become conflicts.
func fingerprint(name string, inputs ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(name), name)
	for _, in := range inputs {
		fmt.Fprintf(h, ",%d:%s", len(in), in)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// execute decides and appends until the append succeeds or the command is
// refused.
func (h *Handler) execute(ctx context.Context, x execution) (eventstore.Commit, error) {
	for range maxDecisions {
		d := decision{handler: h, loaded: make(eventstore.Versions)}
		decided, err := x.decide(ctx, &d)
		if err != nil {
			return h.refuse(ctx, x, err)
		}
		events, expected, err := d.write(decided)
		if err != nil {
			return eventstore.Commit{}, err
		}
		commit, err := h.append(ctx, eventstore.Append{
			Events: events, Expected: expected, Command: x.command, RecordedAt: h.Now(),
			CorrelationID: x.CorrelationID, TraceID: x.TraceID,
		})
		switch {
		case err == nil:
			return commit, nil
		case errors.Is(err, eventstore.ErrCommandReused):
			return eventstore.Commit{}, reused(x.CommandID)
		case !errors.Is(err, eventstore.ErrConflict):
			return eventstore.Commit{}, err
		case ctx.Err() != nil:
			return eventstore.Commit{}, fmt.Errorf("decide again: %w", ctx.Err())
		}
	}
	return eventstore.Commit{}, domain.Errorf(domain.Unavailable,
		"too many commands change the same thing at once; send this one again with commandId %q", x.CommandID)
}

// refuse returns the refusal of a command, unless the command was carried out
// before under the id that the caller chose: then it returns that commit. The
// look-up follows the decision, so that it sees every commit the decision saw.
func (h *Handler) refuse(ctx context.Context, x execution, refusal error) (eventstore.Commit, error) {
	var rule *domain.Error
	if !x.named || !errors.As(refusal, &rule) || rule.Kind == domain.Unavailable || rule.Kind == domain.Unauthenticated {
		return eventstore.Commit{}, refusal
	}
	commit, found, err := h.Events.Committed(ctx, x.command.CommandKey)
	switch {
	case err != nil:
		return eventstore.Commit{}, fmt.Errorf("look up command %q: %w", x.CommandID, err)
	case !found:
		return eventstore.Commit{}, refusal
	case commit.Fingerprint != x.command.Fingerprint:
		return eventstore.Commit{}, reused(x.CommandID)
	}
	commit.Repeated = true
	return commit, nil
}

func reused(commandID string) error {
	return domain.Errorf(domain.Conflict, "command id %q was used for another command; send this one under another id", commandID)
}

// append sends an append until its outcome is known. The command key makes that
// safe: the log finds an append that was already committed.
func (h *Handler) append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	inDoubt := false
	for n := 1; ; n++ {
		commit, err := h.appendOnce(ctx, a)
		if err == nil {
			return commit, nil
		}
		inDoubt = inDoubt || !errors.Is(err, eventstore.ErrNotAppended)
		if !unknown(err) {
			return eventstore.Commit{}, fmt.Errorf("append %s: %w", a.Events[0].Stream, err)
		}
		if n == maxAppends || !outage.Pause(ctx, outage.Delay(firstPause, n)) {
			return eventstore.Commit{}, fmt.Errorf("%w (append %s: %w)", outcome(a, inDoubt, err), a.Events[0].Stream, err)
		}
	}
}

func (h *Handler) appendOnce(ctx context.Context, a eventstore.Append) (commit eventstore.Commit, err error) {
	wait := func() { commit, err = h.Events.Append(ctx, a) }
	if h.Away == nil {
		wait()
	} else {
		h.Away(ctx, wait)
	}
	return commit, err
}

// outcome returns the error for an append whose last attempt failed with err. It
// is in doubt if any of the attempts may have been committed.
func outcome(a eventstore.Append, inDoubt bool, err error) error {
	var reason *domain.Error
	switch {
	case inDoubt:
		return domain.Errorf(domain.Unavailable,
			"it is not known whether this was done; repeating it with commandId %q is safe and will tell", a.Command.ID)
	case errors.As(err, &reason):
		return domain.Errorf(domain.Unavailable, "nothing was done; try again later: %s", reason.Msg)
	default:
		return domain.Errorf(domain.Unavailable, "nothing was done because the store did not answer in time; try again later")
	}
}

// unknown reports whether an append that returned err may have been committed.
func unknown(err error) bool {
	return domain.KindOf(err) == domain.Unavailable ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
