package graph

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// restored is a log that is restored to an earlier state when the test says so, and the
// views of it.
type restored struct {
	eventstore.Log
	readmodel.Store
	restore chan struct{}
}

func (r restored) Follow(ctx context.Context, _ domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		select {
		case <-r.restore:
			yield(nil, domain.Errorf(domain.CursorInvalid, "the log was restored"))
		case <-ctx.Done():
		}
	}
}

func (restored) Await(context.Context, domain.Position) (domain.Position, error) { return 4, nil }

// restoring pays for a push while the log is restored.
type restoring struct {
	Pushes
	log restored
}

func (r restoring) Wait(context.Context) error {
	r.log.restore <- struct{}{}
	synctest.Wait()
	return nil
}

func (restoring) Payer(context.Context) string { return "" }

func (restoring) Turn(ctx context.Context) (context.Context, func(), error) {
	return ctx, func() {}, nil
}

func (restoring) Room(context.Context) error { return nil }

func (restoring) Copy(context.Context, int) bool { return true }

// oneItem is a source of one push.
type oneItem struct{ source }

func (oneItem) next(context.Context, func()) (push, bool, error) { return push{at: 5}, false, nil }

func (oneItem) close() {}

// A push that waited to be paid for while the log was restored is not shared with those
// who get what is at its position now.
func TestAnswersOfAnUndoneHistoryAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := restored{restore: make(chan struct{})}
		hub := subscription.New(subscription.Config{Log: log, Views: log})
		running, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go func() { _ = hub.Run(running) }()
		synctest.Wait()
		r := &Resolver{hub: hub, answers: newAnswers(), pushes: restoring{log: log}}
		respond := func(paid bool, data string) string {
			s := &subscribed{resolver: r, shared: &sharedKey{}, paid: paid, through: -1}
			s.begin = func() source { return oneItem{} }
			return string(s.respond(t.Context(), func(context.Context) *graphql.Response { return text(data) }).Data)
		}
		if got := respond(true, "first"); got != "first" {
			t.Errorf("got %s, want first", got)
		}
		if got := respond(false, "undone"); got != "undone" || hub.History() != 1 {
			t.Errorf("what was pushed before the restore: got %s in history %d, want undone in 1", got, hub.History())
		}
		if got := respond(true, "new"); got != "new" {
			t.Errorf("what is pushed after the restore: got %s, want new", got)
		}
	})
}
