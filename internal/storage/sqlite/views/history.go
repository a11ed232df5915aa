package views

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// Source is the log that views are made from.
type Source interface {
	Head(ctx context.Context) (eventstore.Head, error)
	Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error)
}

// checkBelongs returns an *unfitError if the views were made from another log, or
// from a history of the log that was undone when an older copy was restored: then
// they are ahead of the log, or it has another event at their position. The views
// must have been described before the call, so that the log's head is at least as
// new.
func checkBelongs(ctx context.Context, log Source, views readmodel.Generation) error {
	at := views.Checkpoint
	head, err := log.Head(ctx)
	switch {
	case err != nil:
		return err
	case head.Epoch != views.Epoch:
		return &unfitError{"they were made from another log"}
	case at.Position > head.Position:
		return &unfitError{fmt.Sprintf("they are at position %d and the log ends at %d", at.Position, head.Position)}
	case at.Event == 0:
		return nil
	}
	hashes, err := log.Hashes(ctx, []domain.Position{at.Position})
	if err == nil && hashes[at.Position] != at.Event {
		err = &unfitError{fmt.Sprintf("they are of another history: at their position %d the log has another event", at.Position)}
	}
	return err
}
