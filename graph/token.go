package graph

import (
	"context"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

func errExpired() error {
	return domain.Errorf(domain.Unauthenticated, "the token has expired; log in again")
}

// watchToken calls end with the reason once the caller's token has expired or
// is no longer good, which it checks after each interval until ctx ends. A check
// may have to wait for an issuer, so nothing else waits for a check.
func watchToken(ctx context.Context, tokens *auth.Tokens, authorization string, interval time.Duration, end func(error)) {
	at, expires := auth.Expires(ctx)
	if expires {
		interval = min(interval, time.Until(at))
	}
	time.AfterFunc(interval, func() {
		switch err := guard(ctx, func() error { return auth.StillGood(tokens, authorization) }); {
		case ctx.Err() != nil:
		case expires && !time.Now().Before(at):
			end(errExpired())
		case err != nil:
			end(err)
		default:
			watchToken(ctx, tokens, authorization, interval, end)
		}
	})
}
