package app

import (
	"context"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

const (
	sweepEvery = 10 * time.Minute
	// sweepAge is the age from which a credential without an account counts as
	// left behind: no registration takes that long.
	sweepAge = time.Hour

	// dropEvery is how often a server looks for generations of the views that no
	// longer serve, and dropAge how long it keeps them for requests that still
	// read them.
	dropEvery = 15 * time.Second
	dropAge   = 75 * time.Second
)

// sweepCredentials removes the credentials that failed registrations left, and
// expired sessions, until ctx ends.
func (a *app) sweepCredentials(ctx context.Context) error {
	exists := func(ctx context.Context, user domain.UserID) (bool, error) {
		events, err := a.store.Log().Load(ctx, domain.UserStream(user))
		return len(events) > 0, err
	}
	return repeat(ctx, sweepEvery, func() {
		swept, err := auth.Sweep(ctx, a.store.Credentials(), exists, time.Now().Add(-sweepAge))
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.log.Warn("sweep credentials", "error", err)
		case swept > 0:
			a.log.Info("swept credentials of registrations that failed", "count", swept)
		}
		if err := a.store.Credentials().RemoveExpired(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("remove expired sessions", "error", err)
		}
	})
}

// dropOldViews removes generations of the views that no longer serve, until ctx
// ends.
func (a *app) dropOldViews(ctx context.Context) error {
	return repeat(ctx, dropEvery, func() {
		dropped, err := a.store.Views().DropRetired(ctx, dropAge)
		switch {
		case ctx.Err() != nil:
		case err != nil && domain.KindOf(err) != domain.Unavailable:
			a.log.Warn("old views could not be dropped", "error", err)
		case len(dropped) > 0:
			a.log.Info("dropped views that no longer serve", "generations", dropped)
		}
	})
}

// repeat calls f at once and then every so often, until ctx ends.
func repeat(ctx context.Context, every time.Duration, f func()) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
