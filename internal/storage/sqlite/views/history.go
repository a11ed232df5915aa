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

// belongs gives an *unfitError for views that were made from another log, or
// from another history of the log: they are ahead of it, or the event at their
// position is another one. The views were described before, so that the log
// cannot be behind by chance.
func belongs(ctx context.Context, log Source, views readmodel.Generation) error {
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
