package app

import (
	"context"
	"fmt"
	"time"

	"chirp/internal/app/health"
	"chirp/internal/outage"
	"chirp/internal/projector"
)

// unready returns the reasons why requests would not be answered well, none if
// they would.
func (a *app) unready(ctx context.Context) []string {
	reasons := append(a.store.Problems(), a.writes.Problems()...)
	due, err := a.lag.Views()
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("the log cannot be read: %v", err))
	}
	reasons = append(reasons, a.projectorReasons()...)
	reasons = append(reasons, a.hubReasons()...)
	snapshot, err := a.store.Views().Snapshot(ctx)
	if err != nil {
		return append(reasons, fmt.Sprintf("the views cannot be read: %v", err))
	}
	defer snapshot.Close()
	if at := snapshot.Generation().Checkpoint.Position; at < due {
		reasons = append(reasons, fmt.Sprintf("the views are at position %d; %s ago the log was at %d already", at, health.LagBound, due)+describeBuilding(a.projector.State().Building))
	}
	return reasons
}

// describeBuilding describes the progress of views that are being built, if any are.
func describeBuilding(b *projector.Building) string {
	switch {
	case b == nil:
		return ""
	case b.Finishing:
		return "; others are being built from the log, and their timelines and indexes are being created"
	case b.Left() == 0:
		return fmt.Sprintf("; others are being built from the log, at position %d of %d", b.Position, b.Head)
	}
	return fmt.Sprintf("; others are being built from the log, at position %d of %d, with %s left", b.Position, b.Head, b.Left())
}

// projectorReasons returns why the projector cannot keep the views up to date.
func (a *app) projectorReasons() []string {
	var reasons []string
	s := a.projector.State()
	if s.Phase == projector.Halted {
		reasons = append(reasons, fmt.Sprintf("the projector halted: %v", s.Failure))
	}
	if due, err := a.lag.Views(); s.Outage != nil && (tooLong(s.Outage) || err == nil && s.Position < due) {
		reasons = append(reasons, "the projector "+describeOutage(s.Outage))
	}
	return reasons
}

// hubReasons returns why subscribers do not get what is new.
func (a *app) hubReasons() []string {
	stats := a.hub.Stats()
	due := a.lag.Pushes()
	switch {
	case stats.Outage != nil && (tooLong(stats.Outage) || stats.Position < due):
		return []string{fmt.Sprintf("the live hub is at position %d and %s", stats.Position, describeOutage(stats.Outage))}
	case stats.Position < due:
		return []string{fmt.Sprintf("the live hub is at position %d; %s ago the views were at %d already", stats.Position, health.LagBound, due)}
	}
	return nil
}

// tooLong reports whether an outage has lasted longer than the lag may be.
func tooLong(o *outage.Report) bool { return time.Since(o.Since) > health.LagBound }

func describeOutage(o *outage.Report) string {
	return fmt.Sprintf("has been trying again for %s, %d times: %v", time.Since(o.Since).Round(time.Second), o.Tries, o.Err)
}
