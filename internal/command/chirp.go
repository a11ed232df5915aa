package command

import (
	"context"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// PostChirp is the command to post a chirp.
type PostChirp struct {
	Meta
	// Author is the caller.
	Author  domain.UserID
	Content string
}

// Posted is the result of PostChirp.
type Posted struct {
	ID       domain.ChirpID
	Author   domain.UserID
	Content  domain.Content
	PostedAt time.Time // UTC
	Position domain.Position
	// Repeated is set if an earlier call posted the chirp.
	Repeated bool
}

// PostChirp posts a chirp. An author without an account is Unauthenticated.
func (h *Handler) PostChirp(ctx context.Context, c PostChirp) (Posted, error) {
	content, err := domain.ParseContent(c.Content)
	if err != nil {
		return Posted{}, err
	}
	x, err := h.newExecution(c.Meta, string(c.Author), "PostChirp", string(content))
	if err != nil {
		return Posted{}, err
	}
	var events []domain.Event // of the last decision, which is the one that is committed
	x.decide = func(ctx context.Context, _ *decision) (_ []domain.Event, err error) {
		if err := h.checkCaller(ctx, c.Author); err != nil {
			return nil, err
		}
		// The stream of a new id is empty. If it is not after all, the append is
		// a conflict and the next id is tried.
		events, err = aggregate.Chirp{}.Post(domain.ChirpIDFrom(h.NewID()), c.Author, content)
		return events, err
	}
	commit, err := h.execute(ctx, x)
	if err != nil {
		return Posted{}, err
	}
	if commit.Repeated { // the events of an earlier call
		if events, err = decodeAll(commit.Events); err != nil {
			return Posted{}, err
		}
	}
	chirp := aggregate.LoadChirp(events)
	if !chirp.Posted() {
		return Posted{}, fmt.Errorf("the commit at position %d posts no chirp", commit.Position())
	}
	return Posted{
		ID: chirp.ID, Author: chirp.Author, Content: chirp.Content, PostedAt: commit.Events[0].RecordedAt,
		Position: commit.Position(), Repeated: commit.Repeated,
	}, nil
}
