package transport

import (
	"context"
	"time"

	"chirp/graph/panics"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// ErrExpired says that the caller's token has expired.
func ErrExpired() error {
	return domain.Errorf(domain.Unauthenticated, "the token has expired; log in again")
}

// WatchToken calls end with the reason once the caller's token has expired or
// is no longer good, which it checks after each ping interval until ctx ends. A
// check may have to wait for an issuer, so nothing else waits for a check.
func (s *Service) WatchToken(ctx context.Context, authorization string, end func(error)) {
	interval := s.Limits.Ping
	at, expires := auth.Expires(ctx)
	if expires {
		interval = min(interval, time.Until(at))
	}
	time.AfterFunc(interval, func() {
		switch err := panics.Guard(ctx, func() error { return auth.StillGood(s.Tokens, authorization) }); {
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
