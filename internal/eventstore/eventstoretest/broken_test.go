package eventstoretest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// The logs below are correct except for the methods that they replace.
type (
	rewritesJSON    struct{ eventstore.Log }
	readsNothing    struct{ eventstore.Log }
	stuckHead       struct{ eventstore.Log }
	showsLate       struct{ eventstore.Log }
	loadsLittle     struct{ eventstore.Log }
	interrupted     struct{ eventstore.Log }
	falselyCertain  struct{ eventstore.Log }
	showsLaterFirst struct{ eventstore.Log }
	neverRepeated   struct{ eventstore.Log }
	findsNothing    struct{ eventstore.Log }
	findsLittle     struct{ eventstore.Log }
	localTime       struct{ eventstore.Log }
	roundsNumbers   struct{ eventstore.Log }
	loadsPrefix     struct{ eventstore.Log }
	loadsBackwards  struct{ eventstore.Log }
	ignoresLimit    struct{ eventstore.Log }
	readsInclusive  struct{ eventstore.Log }
	failsToRead     struct{ eventstore.Log }
	emptyWhenEnded  struct{ eventstore.Log }
	hashesAnything  struct{ eventstore.Log }
	newEpochs       struct{ eventstore.Log }
	sameEpoch       struct{ eventstore.Log }
)

type events = []eventstore.Event

// rewritten returns the events with changed data.
func rewritten(in events, f func(json.RawMessage) json.RawMessage) events {
	out := slices.Clone(in)
	for i := range out {
		out[i].Data = f(out[i].Data)
	}
	return out
}

func spacedJSON(data json.RawMessage) json.RawMessage {
	var spaced, escaped bytes.Buffer
	_ = json.Indent(&spaced, data, "", "\t")
	json.HTMLEscape(&escaped, spaced.Bytes())
	return escaped.Bytes()
}

func (l rewritesJSON) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	c, err := l.Log.Append(ctx, a)
	c.Events = rewritten(c.Events, spacedJSON)
	return c, err
}

func (l rewritesJSON) ReadAll(ctx context.Context, after domain.Position, limit int) (events, error) {
	got, err := l.Log.ReadAll(ctx, after, limit)
	return rewritten(got, spacedJSON), err
}

func (l readsNothing) ReadAll(context.Context, domain.Position, int) (events, error) {
	return nil, nil
}

func (l stuckHead) Head(ctx context.Context) (eventstore.Head, error) {
	head, err := l.Log.Head(ctx)
	head.Position = 0
	return head, err
}

func (l showsLate) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	got, err := l.Log.Load(ctx, stream)
	return slices.DeleteFunc(got, func(e eventstore.Event) bool { return e.Position == 7 }), err
}

func (l loadsLittle) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	got, err := l.Log.Load(ctx, stream)
	return got[:min(len(got), 1000)], err
}

// Append appends even after ctx has ended, and then returns ctx's error.
func (l interrupted) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	c, err := l.Log.Append(context.WithoutCancel(ctx), a)
	if ctx.Err() != nil {
		return eventstore.Commit{}, ctx.Err()
	}
	return c, err
}

// Append is like that of interrupted, but claims that nothing was written.
func (l falselyCertain) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	c, err := interrupted(l).Append(ctx, a)
	return c, eventstore.NotAppended(err)
}

func (l showsLaterFirst) ReadAll(ctx context.Context, after domain.Position, limit int) (events, error) {
	got, err := l.Log.ReadAll(ctx, after, limit)
	if n := len(got); n > 1 {
		got = append(got[:n-2], got[n-1])
	}
	return got, err
}

func (l neverRepeated) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	c, err := l.Log.Append(ctx, a)
	c.Repeated = false
	return c, err
}

func (l findsNothing) Committed(context.Context, eventstore.CommandKey) (eventstore.Commit, bool, error) {
	return eventstore.Commit{}, false, nil
}

func (l findsLittle) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	c, found, err := l.Log.Committed(ctx, key)
	c.Events = c.Events[:min(len(c.Events), 1)]
	return c, found, err
}

func (l localTime) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	got, err := l.Log.Load(ctx, stream)
	for i := range got {
		got[i].RecordedAt = got[i].RecordedAt.In(time.FixedZone("", 3600))
	}
	return got, err
}

func (l roundsNumbers) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	got, err := l.Log.Load(ctx, stream)
	return rewritten(got, func(data json.RawMessage) json.RawMessage {
		var v any
		_ = json.Unmarshal(data, &v)
		data, _ = json.Marshal(v)
		return data
	}), err
}

func (l loadsPrefix) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	all, err := l.Log.ReadAll(ctx, 0, 1_000_000)
	return slices.DeleteFunc(all, func(e eventstore.Event) bool { return !strings.HasPrefix(string(e.Stream), string(stream)) }), err
}

func (l loadsBackwards) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	got, err := l.Log.Load(ctx, stream)
	slices.Reverse(got)
	return got, err
}

func (l ignoresLimit) ReadAll(ctx context.Context, after domain.Position, _ int) (events, error) {
	return l.Log.ReadAll(ctx, after, 1_000_000)
}

func (l readsInclusive) ReadAll(ctx context.Context, after domain.Position, limit int) (events, error) {
	return l.Log.ReadAll(ctx, max(after-1, 0), limit)
}

func (l failsToRead) ReadAll(context.Context, domain.Position, int) (events, error) {
	return nil, errors.New("broken")
}

func (l emptyWhenEnded) Load(ctx context.Context, stream domain.StreamID) (events, error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	return l.Log.Load(ctx, stream)
}

func (l newEpochs) Head(ctx context.Context) (eventstore.Head, error) {
	head, err := l.Log.Head(ctx)
	head.Epoch = uuid.NewString()
	return head, err
}

func (l hashesAnything) Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	hashes, err := l.Log.Hashes(ctx, positions)
	for _, at := range positions {
		if hashes[at] == 0 {
			hashes[at] = domain.EventHash(at)
		}
	}
	return hashes, err
}

func (l sameEpoch) Head(ctx context.Context) (eventstore.Head, error) {
	head, err := l.Log.Head(ctx)
	head.Epoch = "chirp"
	return head, err
}

// The logs below follow wrongly.
type (
	followsPast      struct{ eventstore.Log }
	followsAsleep    struct{ eventstore.Log }
	followsEmptily   struct{ eventstore.Log }
	followsFromStart struct{ eventstore.Log }
	followsOn        struct{ eventstore.Log }
	endsQuietly      struct{ eventstore.Log }
	endsOtherwise    struct{ eventstore.Log }
	followsBeyond    struct{ eventstore.Log }
	followsBefore    struct{ eventstore.Log }
	followsOneByOne  struct {
		eventstore.Log
		turn chan struct{}
	}
	// followsWithSeam reads the past events, and then follows from a position
	// that is some events off.
	followsWithSeam struct {
		eventstore.Log
		off domain.Position
	}
)

type followed = iter.Seq2[[]eventstore.Event, error]

func (l followsPast) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		if yield(l.ReadAll(ctx, after, 1_000_000)) {
			<-ctx.Done()
			yield(nil, ctx.Err())
		}
	}
}

func (l followsAsleep) Follow(ctx context.Context, after domain.Position) followed {
	return new(eventstore.Tail).Follow(ctx, l, after)
}

func (l followsEmptily) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch, err := range l.Log.Follow(ctx, after) {
			if !yield(batch, err) || err == nil && !yield(nil, nil) {
				return
			}
		}
	}
}

func (l followsWithSeam) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		past, err := l.ReadAll(ctx, after, 1_000_000)
		if len(past) > 0 && !yield(past, err) {
			return
		}
		at := after + domain.Position(len(past))
		for head, _ := l.Head(ctx); head.Position < at+l.off && ctx.Err() == nil; head, _ = l.Head(ctx) {
			time.Sleep(time.Millisecond)
		}
		l.Log.Follow(ctx, max(0, at+l.off))(yield)
	}
}

func (l followsFromStart) Follow(ctx context.Context, _ domain.Position) followed {
	return l.Log.Follow(ctx, 0)
}

func (l followsOn) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		l.Log.Follow(ctx, after)(func(batch []eventstore.Event, err error) bool {
			after += domain.Position(len(batch))
			return yield(batch, err)
		})
	}
}

func (l endsQuietly) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch, err := range l.Log.Follow(ctx, after) {
			if err != nil || !yield(batch, nil) {
				return
			}
		}
	}
}

// Follow ends with an error other than ctx's.
func (l endsOtherwise) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch, err := range l.Log.Follow(ctx, after) {
			if err != nil {
				err = errors.New("ended")
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}

func (l followsBeyond) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		head, _ := l.Head(ctx)
		l.Log.Follow(ctx, min(after, head.Position))(yield)
	}
}

func (l followsBefore) Follow(ctx context.Context, after domain.Position) followed {
	return l.Log.Follow(ctx, max(after, 0))
}

func (l followsOneByOne) Follow(ctx context.Context, after domain.Position) followed {
	return func(yield func([]eventstore.Event, error) bool) {
		select {
		case l.turn <- struct{}{}:
			l.Log.Follow(ctx, after)(yield)
			<-l.turn
		case <-ctx.Done():
			yield(nil, ctx.Err())
		}
	}
}
