package command

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// FindIdentity returns the user whom an external identity's tokens identify,
// from the log. An identity without an account is NotFound.
func (h *Handler) FindIdentity(ctx context.Context, who domain.Identity) (domain.UserID, error) {
	stream := domain.IdentityStream(who)
	if user, ok := h.known.identity(stream); ok {
		return user, nil
	}
	events, _, err := h.load(ctx, stream)
	if err != nil {
		return "", err
	}
	user := aggregate.LoadIdentity(events).User
	if user == "" {
		return "", domain.Errorf(domain.NotFound, "the token's identity has no account here; create one with registerUser, without a password")
	}
	h.known.identify(stream, user)
	return user, nil
}

// reserveIdentity returns the events that reserve an identity for a new user, or
// none for the zero Identity. An identity that another user has is a Conflict.
func (d *decision) reserveIdentity(ctx context.Context, id domain.UserID, who domain.Identity) ([]domain.Event, error) {
	if who == (domain.Identity{}) {
		return nil, nil
	}
	events, err := d.load(ctx, domain.IdentityStream(who))
	if err != nil {
		return nil, err
	}
	return aggregate.LoadIdentity(events).Reserve(id, who)
}
