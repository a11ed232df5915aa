package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
)

// retryPause is how long the worker waits after a failure that will pass.
const retryPause = 20 * time.Millisecond

// conflictPause is how long it waits after it met another server.
const conflictPause = 300 * time.Microsecond

// work commits one group after the other until the queue is closed and empty.
func (l *Log) work() {
	defer close(l.done)
	for l.queue.wait() {
		ctx, cancel := context.WithTimeout(gate.Own(context.Background()), conn.AnswerTimeout)
		l.commitNext(ctx)
		cancel()
	}
}

// commitNext waits for this server's turn and then commits what has gathered.
func (l *Log) commitNext(ctx context.Context) {
	if refused := l.monitor.Refusal(); refused != nil {
		finish(l.queue.take(), outcome{err: refused})
		return
	}
	t, err := l.lockAndBegin(ctx, false)
	if refused := l.monitor.Explain(ctx, err); refused != nil {
		finish(l.queue.take(), outcome{err: refused})
		return
	}
	if err != nil {
		l.waits.Failed(l.logger, "appends wait for the database", err)
		outage.Pause(ctx, retryPause)
		return
	}
	l.waits.Ended(l.logger, "appends go on")
	l.commit(ctx, t, l.queue.take())
}

// commit settles every append of a group, in the transaction given and, if
// need be, further ones. It begins in the optimistic way: it inserts, and if a
// stream or a command is there already, a unique index refuses the group as a
// whole. Then, and when it is not known what became of an attempt, it goes on
// in the careful way: it looks first, settles each append that cannot be
// written, and writes the others.
func (l *Log) commit(ctx context.Context, t *transaction, group []*pending) {
	began := time.Now()
	for careful := false; ; {
		left, err := l.attempt(ctx, t, group, careful)
		if group = left; err == nil {
			return
		}
		if refused := l.monitor.Explain(ctx, err); refused != nil {
			l.lock.release(ctx)
			finish(group, outcome{err: refused})
			return
		}
		switch {
		case errors.Is(err, errPositionTaken):
			l.lock.noteContention()
			outage.Pause(ctx, conflictPause)
			if time.Since(began) > holderTimeout {
				l.reaper.Reap(ctx)
				began = time.Now()
			}
		case conn.HasCode(err, conn.CodeDuplicateKey) && !careful:
			careful = true
		case conn.Transient(err):
			careful = true
			outage.Pause(ctx, retryPause)
		default:
			l.fail(ctx, group, err)
			return
		}
		if t, err = l.lockAndBegin(ctx, careful); err != nil {
			if refused := l.monitor.Explain(ctx, err); refused != nil {
				finish(group, outcome{err: refused})
				return
			}
			finish(group, outcome{err: fmt.Errorf("%w: %w", errNoAnswer, err)})
			return
		}
	}
}

// attempt tries once to commit a group, and gives the appends that are left to
// be settled, with the error that was in their way.
func (l *Log) attempt(ctx context.Context, t *transaction, group []*pending, careful bool) ([]*pending, error) {
	defer t.abort()
	if careful {
		left, err := l.settle(t.inside, group)
		if err != nil {
			return group, err
		}
		group = left
	}
	if len(group) == 0 {
		if l.queue.empty() { // otherwise the turn is good for the next group
			l.lock.release(ctx)
		}
		return nil, nil
	}
	if err := l.write(t, l.lock.ticket, group); err != nil {
		return group, err
	}
	l.lock.used()
	l.deliver(t.after, group)
	return nil, nil
}

// fail handles an error that trying again does not mend. If only one of the
// appends is to blame, the others are committed without it.
func (l *Log) fail(ctx context.Context, group []*pending, err error) {
	if len(group) == 1 {
		l.lock.release(ctx)
		finish(group, outcome{err: err})
		return
	}
	l.logger.Error("a group of appends was refused; each is tried alone", "appends", len(group), "error", err)
	for i := range group {
		t, err := l.lockAndBegin(ctx, true)
		if err != nil {
			if refused := l.monitor.Explain(ctx, err); refused != nil {
				err = refused
			}
			finish(group[i:], outcome{err: err})
			return
		}
		l.commit(ctx, t, group[i:i+1])
	}
}
