package eventstoretest_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

var errAway = domain.Errorf(domain.Unavailable, "the store is away")

// leaving is a log in memory that can be put out of reach.
type leaving struct {
	*memory
	away atomic.Bool
}

func (l *leaving) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	if l.away.Load() {
		return nil, errAway
	}
	return l.memory.ReadAll(ctx, after, limit)
}

func (l *leaving) Head(ctx context.Context) (eventstore.Head, error) {
	if l.away.Load() {
		return eventstore.Head{}, errAway
	}
	return l.memory.Head(ctx)
}

func (l *leaving) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return l.tail.Follow(ctx, l, after)
}

// failing makes a log fail in outages. wrong may be nil.
func failing(wrong func(*leaving) eventstore.Log) func(testing.TB) eventstoretest.Failing {
	return func(testing.TB) eventstoretest.Failing {
		l := &leaving{memory: newMemory(none)}
		var log eventstore.Log = l
		if wrong != nil {
			log = wrong(l)
		}
		return eventstoretest.Failing{Log: log, Fail: func() { l.away.Store(true); l.tail.Reset() }, Mend: func() { l.away.Store(false) }}
	}
}

func TestLogThatComesBackPasses(t *testing.T) {
	eventstoretest.RunOutage(t, failing(nil))
}

// The logs below follow wrongly in outages: their followers end, cannot start, or
// do not end with their context.
type (
	endsInOutages struct{ *leaving }
	startsLate    struct{ *leaving }
	staysAway     struct{ *leaving }
)

func (l endsInOutages) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			batch, err := l.ReadAll(ctx, after, 10)
			if len(batch) == 0 && err == nil {
				continue
			}
			if !yield(batch, err) || err != nil {
				return
			}
			after += domain.Position(len(batch))
		}
		yield(nil, ctx.Err())
	}
}

func (l startsLate) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		if _, err := l.Head(ctx); err != nil {
			yield(nil, err)
			return
		}
		l.leaving.Follow(ctx, after)(yield)
	}
}

func (l staysAway) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		if _, err := l.Head(ctx); err != nil {
			<-ctx.Done()
			yield(nil, err)
			return
		}
		l.leaving.Follow(ctx, after)(yield)
	}
}

func TestLogBrokenByOutagesFails(t *testing.T) {
	for name, wrong := range map[string]func(*leaving) eventstore.Log{
		"a follower continues after an outage":                      func(l *leaving) eventstore.Log { return endsInOutages{l} },
		"a follower that starts in an outage waits for its end":     func(l *leaving) eventstore.Log { return startsLate{l} },
		"a follower that starts in an outage ends with its context": func(l *leaving) eventstore.Log { return staysAway{l} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range eventstoretest.OutageCases() {
				if c.Name != name {
					continue
				}
				if got := failure(t, func(t testing.TB) { c.Run(t, failing(wrong)) }); got == "" {
					t.Error("it passed")
				} else {
					t.Log(got)
				}
			}
		})
	}
}
