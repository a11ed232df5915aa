package auth

import (
	"context"
	"time"

	"chirp/internal/domain"
)

type (
	callerKey   struct{}
	identityKey struct{}
	expiryKey   struct{}
)

// WithCaller gives a context that says which user is calling.
func WithCaller(ctx context.Context, user domain.UserID) context.Context {
	return context.WithValue(ctx, callerKey{}, user)
}

// Caller gives the user that is calling. The bool is false for an anonymous
// call.
func Caller(ctx context.Context) (domain.UserID, bool) {
	user, ok := ctx.Value(callerKey{}).(domain.UserID)
	return user, ok && user != ""
}

// WithIdentity gives a context that says which outside identity is calling.
func WithIdentity(ctx context.Context, who domain.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// Identity gives the outside identity that is calling, whether or not it has
// an account. The bool is false for a caller without an outside token.
func Identity(ctx context.Context) (domain.Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(domain.Identity)
	return who, ok
}

// Expires gives when the token of whoever is calling expires, for connections
// that must not outlive it. The bool is false for an anonymous call.
func Expires(ctx context.Context) (time.Time, bool) {
	at, ok := ctx.Value(expiryKey{}).(time.Time)
	return at, ok
}

// Authenticate gives a context that says who is calling, by the value of an
// Authorization header or of the authorization in a connection_init payload.
// Three things might happen:
//
//  1. There is none: it gives ctx, and the caller is anonymous.
//  2. It is "Bearer" and a good token: Caller, Identity and Expires tell of it.
//  3. It is anything else: an error of kind Unauthenticated, or Unavailable if
//     an outside token cannot be verified now. A caller who says who they are
//     is never taken for an anonymous one.
func Authenticate(ctx context.Context, tokens *Tokens, header string) (context.Context, error) {
	token, present, err := bearerToken(header)
	if err != nil || !present {
		return ctx, err
	}
	bearer, err := tokens.Read(ctx, token)
	if err != nil {
		return ctx, err
	}
	ctx = context.WithValue(ctx, expiryKey{}, bearer.Expires)
	if bearer.Identity != (domain.Identity{}) {
		ctx = WithIdentity(ctx, bearer.Identity)
	}
	return WithCaller(ctx, bearer.User), nil
}
