package graph

import (
	"context"

	"chirp/graph/model"
)

// ChangePassword is the resolver for the changePassword field.
func (r *mutationResolver) ChangePassword(ctx context.Context, input model.ChangePasswordInput) (*model.ChangePasswordPayload, error) {
	return r.changePassword(ctx, input)
}

// EndSession is the resolver for the endSession field.
func (r *mutationResolver) EndSession(ctx context.Context, input model.EndSessionInput) (*model.EndSessionPayload, error) {
	return r.endSession(ctx, input)
}

// EndAllSessions is the resolver for the endAllSessions field.
func (r *mutationResolver) EndAllSessions(ctx context.Context, input model.EndAllSessionsInput) (*model.EndAllSessionsPayload, error) {
	return r.endAllSessions(ctx, input)
}

// Sessions is the resolver for the sessions field.
func (r *userResolver) Sessions(ctx context.Context, obj *model.User) ([]model.Session, error) {
	return r.sessions(ctx, obj)
}
