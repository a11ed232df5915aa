package projector

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// ErrOtherLog means that the views were not made from this log, or from another
// history of it. Continuing would mix two histories, so the projector does not.
var ErrOtherLog = errors.New("the views were made from another log")

// checkLog returns the head of a log, and ErrOtherLog with the reason unless the
// views of a generation can be continued from it. It must be called after the
// generation was read: the head is then at or after every checkpoint of this log.
func checkLog(ctx context.Context, log eventstore.Log, g readmodel.Generation) (eventstore.Head, error) {
	at := g.Checkpoint
	head, err := log.Head(ctx)
	if err != nil {
		return head, err
	}
	hashes, err := log.Hashes(ctx, []domain.Position{at.Position})
	if err != nil {
		return head, err
	}
	why := ""
	switch {
	case g.Epoch != head.Epoch:
		why = fmt.Sprintf("theirs has epoch %s, this one %s", g.Epoch, head.Epoch)
	case at.Position > head.Position:
		why = fmt.Sprintf("they are at position %d, but this one ends at %d", at.Position, head.Position)
	case at.Event != 0 && hashes[at.Position] != at.Event: // 0 in views from before the hash was stored
		why = fmt.Sprintf("at their position %d this one has another event", at.Position)
	default:
		return head, nil
	}
	return head, fmt.Errorf("%w: %s; start the server again to make new ones", ErrOtherLog, why)
}
