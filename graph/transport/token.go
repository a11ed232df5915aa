package transport

import (
	"context"
	"time"

	"chirp/graph/panics"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// ErrExpired returns the error about a token that has expired.
func ErrExpired() error {
	return domain.Errorf(domain.Unauthenticated, "the token has expired; log in again")
}

// WatchToken calls end with the reason when the caller's token expires, its session
// ends or it is no longer valid for another reason, until ctx ends. It may call end
// again with another reason.
func (s *Service) WatchToken(ctx context.Context, authorization string, end func(error)) {
	auth.WatchSession(ctx, s.Tokens, end)
	if at, expires := auth.Expires(ctx); expires {
		expiry := time.AfterFunc(time.Until(at), func() {
			if ctx.Err() == nil {
				end(ErrExpired())
			}
		})
		context.AfterFunc(ctx, func() { expiry.Stop() })
	}
	s.revalidateLater(ctx, authorization, end)
}

// revalidateLater checks the token after each ping interval, in a goroutine of its own,
// because a check may have to wait for an issuer.
func (s *Service) revalidateLater(ctx context.Context, authorization string, end func(error)) {
	time.AfterFunc(s.Limits.Ping, func() {
		switch err := panics.Guard(ctx, func() error { return auth.Revalidate(ctx, s.Tokens, authorization) }); {
		case ctx.Err() != nil:
		case err != nil:
			end(err)
		default:
			s.revalidateLater(ctx, authorization, end)
		}
	})
}
