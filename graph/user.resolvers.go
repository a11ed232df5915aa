package graph

import (
	"context"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/query"
)

// FollowUser is the resolver for the followUser field.
func (r *mutationResolver) FollowUser(ctx context.Context, input model.FollowUserInput) (*model.FollowUserPayload, error) {
	follower, m, err := callerAndMeta(ctx, input.CommandID)
	if err != nil {
		return nil, err
	}
	did, err := r.commands.FollowUser(ctx, command.FollowUser{Meta: m, Follower: follower, Followee: input.UserID})
	return &model.FollowUserPayload{RelationshipID: did.RelationshipID, Followee: userFromLog(did.Followee, did.Position), Position: did.Position}, err
}

// UnfollowUser is the resolver for the unfollowUser field.
func (r *mutationResolver) UnfollowUser(ctx context.Context, input model.UnfollowUserInput) (*model.UnfollowUserPayload, error) {
	follower, m, err := callerAndMeta(ctx, input.CommandID)
	if err != nil {
		return nil, err
	}
	did, err := r.commands.UnfollowUser(ctx, command.UnfollowUser{Meta: m, Follower: follower, Followee: input.UserID})
	return &model.UnfollowUserPayload{RelationshipID: did.RelationshipID, Followee: userFromLog(did.Followee, did.Position), Position: did.Position}, err
}

// Viewer is the resolver for the viewer field.
func (r *queryResolver) Viewer(ctx context.Context) (*model.User, error) {
	id, ok := auth.Caller(ctx)
	if !ok {
		return nil, nil
	}
	return r.viewer(ctx, id)
}

// User is the resolver for the user field.
func (r *queryResolver) User(ctx context.Context, id *string, username *string) (*model.User, error) {
	switch {
	case id != nil && username == nil:
		return userByID(ctx, *id)
	case username != nil && id == nil:
		return userByName(ctx, *username)
	default:
		return nil, domain.Errorf(domain.Invalid, "user needs exactly one of id and username")
	}
}

// ProfileUpdated is the resolver for the profileUpdated field.
func (r *subscriptionResolver) ProfileUpdated(ctx context.Context, userID string) (<-chan *model.User, error) {
	return r.watchProfile(ctx, userID)
}

// FollowerCount is the resolver for the followerCount field.
func (r *userResolver) FollowerCount(ctx context.Context, obj *model.User) (int, error) {
	p, err := knownProfile(ctx, obj)
	return int(p.Followers), err
}

// FollowingCount is the resolver for the followingCount field.
func (r *userResolver) FollowingCount(ctx context.Context, obj *model.User) (int, error) {
	p, err := knownProfile(ctx, obj)
	return int(p.Following), err
}

// ChirpCount is the resolver for the chirpCount field.
func (r *userResolver) ChirpCount(ctx context.Context, obj *model.User) (int, error) {
	p, err := knownProfile(ctx, obj)
	return int(p.Chirps), err
}

// IsCelebrity is the resolver for the isCelebrity field.
func (r *userResolver) IsCelebrity(ctx context.Context, obj *model.User) (bool, error) {
	p, err := knownProfile(ctx, obj)
	return p.Celebrity, err
}

// ViewerFollows is the resolver for the viewerFollows field.
func (r *userResolver) ViewerFollows(ctx context.Context, obj *model.User) (bool, error) {
	return viewerFollows(ctx, obj)
}

// Chirps is the resolver for the chirps field.
func (r *userResolver) Chirps(ctx context.Context, obj *model.User, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	return userList(ctx, obj, (*query.Reader).ChirpsBy, newPage(first, after, last, before), chirpConnection)
}

// Followers is the resolver for the followers field.
func (r *userResolver) Followers(ctx context.Context, obj *model.User, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	return userList(ctx, obj, (*query.Reader).Followers, newPage(first, after, last, before), userConnection)
}

// Following is the resolver for the following field.
func (r *userResolver) Following(ctx context.Context, obj *model.User, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	return userList(ctx, obj, (*query.Reader).Following, newPage(first, after, last, before), userConnection)
}

// Mutation returns generated.MutationResolver implementation.
func (r *Resolver) Mutation() generated.MutationResolver { return &mutationResolver{r} }

// Subscription returns generated.SubscriptionResolver implementation.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return &subscriptionResolver{r} }

// User returns generated.UserResolver implementation.
func (r *Resolver) User() generated.UserResolver { return &userResolver{r} }

type (
	mutationResolver     struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }
	userResolver         struct{ *Resolver }
)
