package command

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// FindIdentity gives the user whom an outside identity's tokens speak for,
// from the log. One without an account is NotFound.
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
		return "", domain.Errorf(domain.NotFound, "the token's identity has no account here; make one with registerUser, without a password")
	}
	h.known.identify(stream, user)
	return user, nil
}

// reserveIdentity returns the events that reserve an identity for a new user:
// none for the zero Identity, and a Conflict for one that has a user.
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
