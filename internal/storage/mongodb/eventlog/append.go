package eventlog

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// pending is an append that waits for its commit.
type pending struct {
	append eventstore.Append
	events []eventstore.Event // without positions until they are committed
	docs   []format.Document
	bytes  int
	// inDoubt is set while the outcome of an attempted commit is not known.
	inDoubt bool
	// commit is set before the job is finished without an error.
	commit eventstore.Commit
}

// job is a pending append in the queue.
type job = groupcommit.Job[*pending]

// queuedAppends is the most appends in the queue.
const queuedAppends = 4096

// newPending encodes an append.
func newPending(a eventstore.Append) (*pending, error) {
	p := &pending{append: a, events: a.At(0)}
	for _, e := range p.events {
		doc, err := format.EncodeEvent(e)
		if err != nil {
			return nil, fmt.Errorf("append to stream %q: %w", e.Stream, err)
		}
		p.docs = append(p.docs, doc)
		p.bytes += len(doc)
	}
	return p, nil
}

// Append implements eventstore.Log. The appends that arrive while a transaction runs
// are committed together by the next one.
func (l *Log) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil {
		return eventstore.Commit{}, err
	}
	p, err := newPending(a)
	if err != nil {
		return eventstore.Commit{}, err
	}
	op := "append to " + string(a.Events[0].Stream)
	if l.readOnly {
		return eventstore.Commit{}, domain.Errorf(domain.Invalid, "%s: the database is opened for reading only", op)
	}
	if err := l.monitor.Refusal(); err != nil {
		return eventstore.Commit{}, eventstore.NotAppended(fmt.Errorf("%s: %w", op, err))
	}
	waiting, cancel := context.WithTimeoutCause(ctx, conn.AnswerTimeout, errNoAnswer)
	defer cancel()
	if refused, commit, err := l.checkExpected(waiting, p); refused {
		return commit, answer(ctx, op, err)
	}
	if err := l.queue.Do(waiting, p); err != nil {
		return eventstore.Commit{}, answer(ctx, op, err)
	}
	return p.commit, nil
}

var (
	errClosed   = fmt.Errorf("%w: the store is closed", &domain.Error{Kind: domain.Unavailable, Msg: "the database cannot answer now; try again"})
	errNoAnswer = fmt.Errorf("no answer within %s: %w", conn.AnswerTimeout, context.DeadlineExceeded)
)

// checkExpected refuses an append that expects events which are not there, and
// returns what Append returns for it. The unique index cannot catch such an append, which would
// leave a gap in the versions. Because no event is ever removed, the check need not
// be part of the transaction.
func (l *Log) checkExpected(ctx context.Context, p *pending) (refused bool, _ eventstore.Commit, _ error) {
	for stream, expected := range p.append.Streams() {
		if expected == 0 {
			continue
		}
		var actual int64
		err := l.conn.InSession(ctx, func(ctx context.Context) (err error) {
			actual, err = l.version(ctx, stream)
			return err
		})
		if err != nil {
			return true, eventstore.Commit{}, eventstore.NotAppended(err)
		}
		if actual < expected {
			commit, err := l.findRepeat(ctx, p, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual})
			return true, commit, err
		}
	}
	return false, eventstore.Commit{}, nil
}

// findRepeat returns the commit of an append whose command was committed before, or
// an error if it was not.
func (l *Log) findRepeat(ctx context.Context, p *pending, otherwise error) (eventstore.Commit, error) {
	c, found, err := l.committed(ctx, p.append.Command.CommandKey)
	switch {
	case err != nil:
		return eventstore.Commit{}, err
	case !found:
		return eventstore.Commit{}, otherwise
	case c.Fingerprint != p.append.Command.Fingerprint:
		return eventstore.Commit{}, eventstore.ErrCommandReused
	}
	c.Repeated = true
	return c, nil
}
