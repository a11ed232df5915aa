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

// WatchToken calls end with the reason when the caller's token has expired or is no
// longer valid. It checks after each ping interval until ctx ends, in a goroutine of
// its own, because a check may have to wait for an issuer.
func (s *Service) WatchToken(ctx context.Context, authorization string, end func(error)) {
	interval := s.Limits.Ping
	at, expires := auth.Expires(ctx)
	if expires {
		interval = min(interval, time.Until(at))
	}
	time.AfterFunc(interval, func() {
		switch err := panics.Guard(ctx, func() error { return auth.Revalidate(s.Tokens, authorization) }); {
		case ctx.Err() != nil:
		case expires && !time.Now().Before(at):
			end(ErrExpired())
		case err != nil:
			end(err)
		default:
			s.WatchToken(ctx, authorization, end)
		}
	})
}
