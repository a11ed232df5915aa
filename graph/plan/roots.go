package plan

import (
	"context"

	"chirp/graph/generated"
	"chirp/graph/model"
)

func queryFields(r generated.QueryResolver) map[string]*spec {
	return map[string]*spec{
		"node":         node(r.Node),
		"chirp":        query("Chirp", idArg("id"), func(ctx context.Context, args any) (*model.Chirp, error) { return r.Chirp(ctx, args.(string)) }),
		"feed":         rootConnection("ChirpConnection", r.Feed),
		"recentChirps": rootConnection("ChirpConnection", r.RecentChirps),
		"recentUsers":  rootConnection("UserConnection", r.RecentUsers),
		"viewer":       query("User", nil, func(ctx context.Context, _ any) (*model.User, error) { return r.Viewer(ctx) }),
		"user": query("User", userArgs, func(ctx context.Context, args any) (*model.User, error) {
			which := args.(whichUser)
			return r.User(ctx, which.id, which.username)
		}),
	}
}

func subscriptionFields(r generated.SubscriptionResolver) map[string]*spec {
	return map[string]*spec{
		"profileUpdated": subscription("User", idArg("userId"), func(ctx context.Context, args any) (<-chan *model.User, error) {
			return r.ProfileUpdated(ctx, args.(string))
		}),
		"feedChirpAdded": subscription("ChirpEdge", afterArg, func(ctx context.Context, args any) (<-chan *model.ChirpEdge, error) {
			return r.FeedChirpAdded(ctx, args.(*string))
		}),
	}
}

func mutationFields(r generated.MutationResolver) map[string]*spec {
	return map[string]*spec{
		"registerUser":   mutation("RegisterUserPayload", registerUserInput, r.RegisterUser),
		"logIn":          mutation("LogInPayload", logInInput, r.LogIn),
		"postChirp":      mutation("PostChirpPayload", postChirpInput, r.PostChirp),
		"followUser":     mutation("FollowUserPayload", followUserInput, r.FollowUser),
		"unfollowUser":   mutation("UnfollowUserPayload", unfollowUserInput, r.UnfollowUser),
		"changePassword": mutation("ChangePasswordPayload", changePasswordInput, r.ChangePassword),
		"endSession":     mutation("EndSessionPayload", endSessionInput, r.EndSession),
		"endAllSessions": mutation("EndAllSessionsPayload", endAllSessionsInput, r.EndAllSessions),
	}
}

func registerUserInput(in *members) model.RegisterUserInput {
	return model.RegisterUserInput{Username: in.text("username"), Password: in.optional("password"), CommandID: in.optional("commandId")}
}

func logInInput(in *members) model.LogInInput {
	return model.LogInInput{Username: in.text("username"), Password: in.text("password")}
}

func postChirpInput(in *members) model.PostChirpInput {
	return model.PostChirpInput{Content: in.text("content"), CommandID: in.optional("commandId")}
}

func followUserInput(in *members) model.FollowUserInput {
	return model.FollowUserInput{UserID: in.id("userId"), CommandID: in.optional("commandId")}
}

func unfollowUserInput(in *members) model.UnfollowUserInput {
	return model.UnfollowUserInput{UserID: in.id("userId"), CommandID: in.optional("commandId")}
}

func changePasswordInput(in *members) model.ChangePasswordInput {
	return model.ChangePasswordInput{CurrentPassword: in.text("currentPassword"), NewPassword: in.text("newPassword")}
}

func endSessionInput(in *members) model.EndSessionInput {
	return model.EndSessionInput{SessionID: in.id("sessionId")}
}

func endAllSessionsInput(in *members) model.EndAllSessionsInput {
	return model.EndAllSessionsInput{KeepCurrent: in.boolean("keepCurrent")}
}
