package graph

import (
	"context"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/subscription"
)

// crowded has no room the first time that an answer waits for it, and none the first
// time that one is to be copied.
type crowded struct {
	Pushes
	rooms, copies *int
}

func (c crowded) Room(context.Context) error {
	if *c.rooms++; *c.rooms == 1 {
		return context.Canceled
	}
	return nil
}

func (c crowded) Copy(context.Context, int) bool {
	*c.copies++
	return *c.copies > 1
}

func (crowded) Payer(context.Context) string { return "" }

func (crowded) Turn(ctx context.Context) (context.Context, func(), error) {
	return ctx, func() {}, nil
}

// Who waits for room has no answer meanwhile, and takes it again if there is no room for
// a copy by then.
func TestWhoWaitsForRoomHasNoAnswer(t *testing.T) {
	rooms, copies, computed := 0, 0, 0
	r := &Resolver{hub: subscription.New(subscription.Config{}), answers: newAnswers(), pushes: crowded{rooms: &rooms, copies: &copies}}
	answer := func() *graphql.Response {
		s := &subscribed{resolver: r, shared: &sharedKey{}, current: push{at: 5}, history: r.hub.History()}
		return s.answer(t.Context(), func(context.Context) *graphql.Response { computed++; return text("answer") })
	}
	if got := answer(); got != nil || computed != 0 {
		t.Errorf("without room: got %v after %d were computed, want none", got, computed)
	}
	if got := answer(); got == nil || computed != 1 || copies != 0 {
		t.Errorf("who computes it: got %v after %d were computed and %d copied, want one and no copy", got, computed, copies)
	}
	rooms = 1
	if got := answer(); got == nil || computed != 1 || copies != 2 || rooms != 3 {
		t.Errorf("who shares it: got %v after %d were computed, %d tries to copy it and %d waits, want 1, 2 and 2", got, computed, copies, rooms-1)
	}
}
