package auth

import (
	"context"
	"time"

	"chirp/internal/domain"
)

type (
	callerKey   struct{}
	identityKey struct{}
	bearerKey   struct{}
)

// WithCaller returns a context with the user who is calling.
func WithCaller(ctx context.Context, user domain.UserID) context.Context {
	return context.WithValue(ctx, callerKey{}, user)
}

// Caller returns the user who is calling, and false if the caller is anonymous.
func Caller(ctx context.Context) (domain.UserID, bool) {
	user, ok := ctx.Value(callerKey{}).(domain.UserID)
	return user, ok && user != ""
}

// WithIdentity returns a context with the external identity that is calling.
func WithIdentity(ctx context.Context, who domain.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// Identity returns the external identity that is calling, whether or not it has an
// account, and false if the caller has no external token.
func Identity(ctx context.Context) (domain.Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(domain.Identity)
	return who, ok
}

// Expires returns when the caller's token expires, for connections that must not
// outlive it, and false if the caller is anonymous.
func Expires(ctx context.Context) (time.Time, bool) {
	b, ok := bearerOf(ctx)
	return b.Expires, ok
}

// CallerSession returns the session of the caller's token. It returns false if the
// token has none: one of an external issuer, or one that was issued before there
// were sessions.
func CallerSession(ctx context.Context) (SessionID, bool) {
	b, _ := bearerOf(ctx)
	return b.Session, b.Session != SessionID{}
}

// bearerOf returns what the caller's token says, and false if the caller is
// anonymous.
func bearerOf(ctx context.Context) (Bearer, bool) {
	b, ok := ctx.Value(bearerKey{}).(Bearer)
	return b, ok
}

// Authenticate returns a context with the caller, given the value of an
// Authorization header or of the authorization in a connection_init payload.
// Three things might happen:
//
//  1. The value is empty: Authenticate returns ctx, and the caller is anonymous.
//  2. It is "Bearer" and a valid token: Caller, Identity and Expires return what
//     the token says.
//  3. It is anything else, such as a token whose session has ended: the error is of
//     kind Unauthenticated, or Unavailable if the token cannot be verified now. A
//     caller who sends a token is never treated as anonymous.
func Authenticate(ctx context.Context, tokens *Tokens, header string) (context.Context, error) {
	token, present, err := bearerToken(header)
	if err != nil || !present {
		return ctx, err
	}
	bearer, err := tokens.Read(ctx, token)
	if err != nil {
		return ctx, err
	}
	if err := tokens.sessions.check(ctx, bearer); err != nil {
		return ctx, err
	}
	ctx = context.WithValue(ctx, bearerKey{}, bearer)
	if bearer.Identity != (domain.Identity{}) {
		ctx = WithIdentity(ctx, bearer.Identity)
	}
	return WithCaller(ctx, bearer.User), nil
}
