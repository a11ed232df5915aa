package eventlog

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
)

// Follow implements eventstore.Log.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		if err := l.checkHead(ctx, after); err != nil {
			yield(nil, err)
			return
		}
		l.changes.tail.Follow(ctx, after, l.readPatiently)(yield)
	}
}

// checkHead refuses a position beyond the head. It retries through an outage.
func (l *Log) checkHead(ctx context.Context, after domain.Position) error {
	if after < 0 {
		return domain.Errorf(domain.CursorInvalid, "position %d is no place in the log", after)
	}
	if after == 0 {
		return nil
	}
	var head eventstore.Head
	err := retryUnavailable(ctx, l.logger, func() (err error) {
		head, err = l.Head(ctx)
		return err
	})
	if err == nil && after > head.Position {
		err = domain.Errorf(domain.CursorInvalid, "position %d is beyond the end of the log, which is at %d", after, head.Position)
	}
	return err
}

// readPatiently is ReadAll for followers, which retries through an outage.
func (l *Log) readPatiently(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	var events []eventstore.Event
	err := retryUnavailable(ctx, l.logger, func() (err error) {
		events, err = l.ReadAll(ctx, after, limit)
		return err
	})
	return events, err
}

// retryUnavailable makes a call until its error is not of kind Unavailable, or
// ctx ends.
func retryUnavailable(ctx context.Context, logger *slog.Logger, call func() error) error {
	const firstPause = 50 * time.Millisecond
	var unread outage.Outage
	for {
		err := call()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || domain.KindOf(err) != domain.Unavailable {
			unread.Ended(logger, "a follower of the log reads again")
			return err
		}
		tries := unread.Failed(logger, "a follower of the log waits for the database", err)
		outage.Pause(ctx, outage.Delay(firstPause, tries))
	}
}
