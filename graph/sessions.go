package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// sessions returns a user's sessions, or nil if the user is not the caller.
func (r *Resolver) sessions(ctx context.Context, u *model.User) ([]model.Session, error) {
	caller, ok := auth.Caller(ctx)
	if !ok || string(caller) != u.ID {
		return nil, nil
	}
	all, err := r.auth.Sessions.List(ctx, caller)
	if err != nil {
		return nil, err
	}
	current, _ := auth.CallerSession(ctx)
	sessions := make([]model.Session, len(all))
	for i, s := range all {
		sessions[i] = model.Session{
			ID: s.ID.String(), StartedAt: s.Started, LastUsedAt: s.Seen, ExpiresAt: s.Expires,
			Address: s.Client.Address, UserAgent: s.Client.Agent, IsCurrent: s.ID == current,
		}
	}
	return sessions, nil
}

func (r *Resolver) changePassword(ctx context.Context, input model.ChangePasswordInput) (*model.ChangePasswordPayload, error) {
	caller, err := requireCaller(ctx)
	if err != nil {
		return nil, err
	}
	if !r.passwords {
		return nil, errPasswordsOff()
	}
	if _, external := auth.Identity(ctx); external {
		return nil, domain.Errorf(domain.Forbidden, "your account has no password; its token's issuer decides how you log in")
	}
	token, err := r.auth.ChangePassword(ctx, caller, input.CurrentPassword, input.NewPassword)
	return &model.ChangePasswordPayload{Token: token}, err
}

func (r *Resolver) endSession(ctx context.Context, input model.EndSessionInput) (*model.EndSessionPayload, error) {
	caller, err := requireCaller(ctx)
	if err != nil {
		return nil, err
	}
	id, err := auth.ParseSessionID(input.SessionID)
	if err != nil {
		return nil, err
	}
	if err := r.auth.Sessions.End(ctx, caller, id); err != nil {
		return nil, err
	}
	user, err := r.commands.User(ctx, caller)
	return &model.EndSessionPayload{SessionID: input.SessionID, User: userFromLog(user, 0)}, err
}

func (r *Resolver) endAllSessions(ctx context.Context, input model.EndAllSessionsInput) (*model.EndAllSessionsPayload, error) {
	caller, err := requireCaller(ctx)
	if err != nil {
		return nil, err
	}
	if _, external := auth.Identity(ctx); external {
		return nil, domain.Errorf(domain.Forbidden, "your token comes from an external issuer, which alone can end its validity")
	}
	current, ok := auth.CallerSession(ctx)
	switch {
	case !input.KeepCurrent:
		current = auth.SessionID{}
	case !ok:
		return nil, domain.Errorf(domain.Invalid, "your token has no session that could be kept, because an earlier version of this server issued it; log in again first, or end all sessions")
	}
	if err := r.auth.Sessions.EndAll(ctx, caller, current); err != nil {
		return nil, err
	}
	user, err := r.commands.User(ctx, caller)
	return &model.EndAllSessionsPayload{User: userFromLog(user, 0)}, err
}
