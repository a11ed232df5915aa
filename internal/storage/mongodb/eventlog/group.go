package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
)

const (
	// retryPause is how long the worker waits after a transient failure.
	retryPause = 20 * time.Millisecond
	// conflictPause is how long it waits after it collided with another server.
	conflictPause = 300 * time.Microsecond
)

// work commits one group after another until the queue is closed and empty. It is
// the only goroutine that writes to the log.
func (l *Log) work() {
	defer close(l.done)
	for l.queue.Wait() {
		ctx, cancel := context.WithTimeout(gate.Own(context.Background()), conn.AnswerTimeout)
		l.commitNext(ctx)
		cancel()
	}
}

// commitNext begins a transaction, which may have to wait for other servers, and
// commits the appends that are in the queue by then.
func (l *Log) commitNext(ctx context.Context) {
	if refused := l.monitor.Refusal(); refused != nil {
		finish(l.nextGroup(), refused)
		return
	}
	t, err := l.lockAndBegin(ctx, false)
	if refused := l.monitor.Explain(ctx, err); refused != nil {
		finish(l.nextGroup(), refused)
		return
	}
	if err != nil {
		l.waits.Failed(l.logger, "appends wait for the database", err)
		outage.Pause(ctx, retryPause)
		return
	}
	l.waits.Ended(l.logger, "appends continue")
	l.commit(ctx, t, l.nextGroup())
}

// commit answers every append of a group. It uses the transaction t and, if that
// fails, further ones. The first attempt is optimistic: it inserts without looking,
// and if a stream has moved on or a command is repeated, a unique index refuses the
// whole group. After that, and when the outcome of an attempt is not known, the
// attempts are careful: they read first, answer the appends that cannot be written,
// and write the others.
func (l *Log) commit(ctx context.Context, t *transaction, group []*job) {
	began := time.Now()
	for careful := false; ; {
		rest, err := l.attempt(ctx, t, group, careful)
		if group = rest; err == nil {
			return
		}
		if refused := l.monitor.Explain(ctx, err); refused != nil {
			l.lock.release(ctx)
			finish(group, refused)
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
				finish(group, refused)
				return
			}
			finish(group, fmt.Errorf("%w: %w", errNoAnswer, err))
			return
		}
	}
}

// attempt tries once to commit a group. It returns the appends that are not answered
// yet, with the error that prevented that.
func (l *Log) attempt(ctx context.Context, t *transaction, group []*job, careful bool) ([]*job, error) {
	defer t.abort()
	if careful {
		writable, err := l.answerUnwritable(t.inside, group)
		if err != nil {
			return group, err
		}
		group = writable
	}
	if len(group) == 0 {
		if l.queue.Len() == 0 { // otherwise the next group can use the ticket
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

// fail handles an error that is not transient. It commits each append of the group
// alone, so that one that causes the error does not fail the others.
func (l *Log) fail(ctx context.Context, group []*job, err error) {
	if len(group) == 1 {
		l.lock.release(ctx)
		finish(group, err)
		return
	}
	l.logger.Error("a group of appends was refused; each is tried alone", "appends", len(group), "error", err)
	for i := range group {
		t, err := l.lockAndBegin(ctx, true)
		if err != nil {
			if refused := l.monitor.Explain(ctx, err); refused != nil {
				err = refused
			}
			finish(group[i:], err)
			return
		}
		l.commit(ctx, t, group[i:i+1])
	}
}

// The most that one transaction writes, unless a single append is larger. The bytes
// stay well below the 16 MB of an oplog entry.
const (
	groupEvents = 2000
	groupBytes  = 4 << 20
)

// nextGroup takes a group from the queue: the oldest appends, as many as fit, no two
// of which share a stream or a command. An append that must wait for that reason
// holds back the later ones that share with it, so that none is overtaken again and
// again.
func (l *Log) nextGroup() []*job {
	streams, keys := map[domain.StreamID]bool{}, map[eventstore.CommandKey]bool{}
	jobs, events, bytes := 0, 0, 0
	return l.queue.Take(func(p *pending) groupcommit.Choice {
		if jobs > 0 && (events+len(p.docs) > groupEvents || bytes+p.bytes > groupBytes) {
			return groupcommit.Stop
		}
		shared := keys[p.append.Command.CommandKey]
		keys[p.append.Command.CommandKey] = true
		for stream := range p.append.Streams() {
			shared = shared || streams[stream]
			streams[stream] = true
		}
		if shared {
			return groupcommit.Leave
		}
		jobs, events, bytes = jobs+1, events+len(p.docs), bytes+p.bytes
		return groupcommit.Take
	})
}
