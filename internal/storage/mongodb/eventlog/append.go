package eventlog

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// pending is an append that waits for its commit.
type pending struct {
	append eventstore.Append
	docs   []format.Document
	bytes  int
	// inDoubt is set while the outcome of an attempted commit is not known.
	inDoubt bool
	// done receives the outcome, once.
	done chan outcome
}

// outcome is what a caller of Append gets.
type outcome struct {
	commit eventstore.Commit
	err    error
}

// newPending encodes an append.
func newPending(a eventstore.Append) (*pending, error) {
	docs, err := format.EncodeAppend(a)
	if err != nil {
		return nil, err
	}
	p := &pending{append: a, docs: docs, done: make(chan outcome, 1)}
	for _, d := range docs {
		p.bytes += len(d)
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
	if refused, o := l.checkExpected(waiting, p); refused {
		return answer(ctx, op, o)
	}
	if !l.queue.add(p) {
		return eventstore.Commit{}, eventstore.NotAppended(conn.Unavailable(op, errClosed))
	}
	select {
	case o := <-p.done:
		return answer(ctx, op, o)
	case <-waiting.Done():
		o := outcome{err: context.Cause(waiting)}
		if l.queue.remove(p) {
			o.err = eventstore.NotAppended(o.err)
		}
		return answer(ctx, op, o)
	}
}

var (
	errClosed   = errors.New("the store is closed")
	errNoAnswer = fmt.Errorf("no answer within %s: %w", conn.AnswerTimeout, context.DeadlineExceeded)
)

// checkExpected refuses an append that expects events which are not there, and
// returns its outcome. The unique index cannot catch such an append, which would
// leave a gap in the versions. Because no event is ever removed, the check need not
// be part of the transaction.
func (l *Log) checkExpected(ctx context.Context, p *pending) (refused bool, o outcome) {
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
			return true, outcome{err: eventstore.NotAppended(err)}
		}
		if actual < expected {
			return true, l.findRepeat(ctx, p, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual})
		}
	}
	return false, outcome{}
}

// findRepeat returns the outcome of an append whose command was committed before, or
// an error if it was not.
func (l *Log) findRepeat(ctx context.Context, p *pending, otherwise error) outcome {
	c, found, err := l.committed(ctx, p.append.Command.CommandKey)
	switch {
	case err != nil:
		return outcome{err: err}
	case !found:
		return outcome{err: otherwise}
	case c.Fingerprint != p.append.Command.Fingerprint:
		return outcome{err: eventstore.ErrCommandReused}
	}
	c.Repeated = true
	return outcome{commit: c}
}
