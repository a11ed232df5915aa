package graph

import (
	"context"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/internal/command"
)

// Author is the resolver for the author field.
func (r *chirpResolver) Author(ctx context.Context, obj *model.Chirp) (*model.User, error) {
	return r.author(ctx, obj)
}

// PostChirp is the resolver for the postChirp field.
func (r *mutationResolver) PostChirp(ctx context.Context, input model.PostChirpInput) (*model.PostChirpPayload, error) {
	author, m, err := callerAndMeta(ctx, input.CommandID)
	if err != nil {
		return nil, err
	}
	posted, err := r.commands.PostChirp(ctx, command.PostChirp{Meta: m, Author: author, Content: input.Content})
	return &model.PostChirpPayload{Chirp: chirpFromCommand(posted), Position: posted.Position}, err
}

// Chirp is the resolver for the chirp field.
func (r *queryResolver) Chirp(ctx context.Context, id string) (*model.Chirp, error) {
	return chirpByID(ctx, id)
}

// Chirp returns generated.ChirpResolver implementation.
func (r *Resolver) Chirp() generated.ChirpResolver { return &chirpResolver{r} }

type chirpResolver struct{ *Resolver }
