package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// event is an event of the log together with what it says. fact is nil for one
// that this program cannot read, most likely of a newer version: the hub moves
// past it when the views do, which may be the work of another server of that
// version. What keeps the views right is that a projector halts at it.
type event struct {
	eventstore.Event
	fact domain.Event
}

// follow hands out events until the log or the views fail.
func (h *Hub) follow(ctx context.Context) error {
	after, hash, err := h.begin(ctx)
	if err != nil {
		return err
	}
	idle := time.AfterFunc(calmAfter, h.calm)
	defer idle.Stop()
	for batch, err := range eventstore.FollowHistory(ctx, h.cfg.Log, after, hash) {
		idle.Stop()
		if err != nil {
			return fmt.Errorf("follow the log after position %d: %w", h.at(), err)
		}
		if err := h.release(ctx, batch); err != nil {
			return err
		}
		h.calm()
	}
	return errors.New("the log's tail ended")
}

// begin returns where to follow from, and the hash of the event there, 0 if it
// is not known. At first that is the views' checkpoint, because what is visible
// by then is read and not pushed.
func (h *Hub) begin(ctx context.Context) (domain.Position, domain.EventHash, error) {
	if at, hash := h.last(); at >= 0 {
		return at, hash, nil
	}
	checkpoint, err := h.cfg.Views.Await(ctx, -1)
	if err != nil {
		return 0, 0, fmt.Errorf("find the views' checkpoint: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = checkpoint
	h.start.Do(func() { close(h.started) })
	return checkpoint, 0, nil
}

// last returns the position of the last event handed out, -1 while it is not
// known, and the hash of that event, 0 if none was handed out since the start.
func (h *Hub) last() (domain.Position, domain.EventHash) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recent.kept == 0 {
		return h.position, 0
	}
	return h.position, h.recent.get(h.position).Hash()
}

// release hands out a batch, each part of it as soon as the views show it. It
// asks the views again for every batch, because another generation of them may
// have begun to serve.
func (h *Hub) release(ctx context.Context, batch []eventstore.Event) error {
	for len(batch) > 0 {
		first := batch[0].Position
		visible, err := h.cfg.Views.Await(ctx, first-1)
		if err != nil {
			return fmt.Errorf("await the views at position %d: %w", first, err)
		}
		n := 0
		for ; n < len(batch) && batch[n].Position <= visible; n++ {
			if err := h.dispatch(h.decode(batch[n])); err != nil {
				return err
			}
		}
		if n == 0 {
			return fmt.Errorf("the views are at position %d when they should be beyond %d", visible, first-1)
		}
		batch = batch[n:]
	}
	return nil
}

// maxUnreadable is how many types are remembered and logged.
const maxUnreadable = 100

// decode reads an event. It logs each type that cannot be read once. The types
// of a log are few, but nothing bounds them.
func (h *Hub) decode(e eventstore.Event) event {
	fact, err := domain.DecodeEvent(e.Type, e.Data)
	if err == nil {
		return event{e, fact}
	}
	if !h.unreadable[e.Type] && len(h.unreadable) < maxUnreadable {
		h.unreadable[e.Type] = true
		h.cfg.Logger.Warn("subscribers here get nothing of events of a type that cannot be read", "type", e.Type, "first", e.Position, "error", err)
	}
	return event{e, nil}
}
