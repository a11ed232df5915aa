package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// event is an event of the log and what it decodes to. fact is nil if this program
// cannot decode it, most likely because a newer version wrote it. The hub moves past
// such an event once the views have, which may be the work of another server of that
// version: this server's projector halts at it, so the views stay correct.
type event struct {
	eventstore.Event
	fact domain.Event
}

// follow dispatches events until the log or the views fail.
func (h *Hub) follow(ctx context.Context) error {
	after, hash, err := h.begin(ctx)
	if err != nil {
		return err
	}
	idle := time.AfterFunc(recoveredAfter, h.recovered)
	defer idle.Stop()
	for batch, err := range eventstore.FollowHistory(ctx, h.cfg.Log, after, hash) {
		idle.Stop()
		if err != nil {
			return fmt.Errorf("follow the log after position %d: %w", h.at(), err)
		}
		if err := h.dispatchVisible(ctx, batch); err != nil {
			return err
		}
		h.recovered()
	}
	return errors.New("the log's tail ended")
}

// begin returns the position to follow from, and the hash of the event there, 0 if
// it is not known. The first time it is the views' checkpoint: subscribers read
// what is visible by then, so the hub need not push it.
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

// last returns the position of the last event dispatched, -1 while it is not known,
// and the hash of that event, 0 if none was dispatched since the start.
func (h *Hub) last() (domain.Position, domain.EventHash) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recent.kept == 0 {
		return h.position, 0
	}
	return h.position, h.recent.get(h.position).Hash()
}

// dispatchVisible dispatches a batch, each part of it as soon as the views show it.
// It asks for the checkpoint again for every batch, because another generation of
// the views, with a lower checkpoint, may have begun to serve.
func (h *Hub) dispatchVisible(ctx context.Context, batch []eventstore.Event) error {
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

// maxUnreadable is how many unreadable types decode remembers and logs. A log has
// few types, but nothing bounds them.
const maxUnreadable = 100

// decode decodes an event. It logs each type that it cannot decode once.
func (h *Hub) decode(e eventstore.Event) event {
	fact, err := domain.DecodeEvent(e.Type, e.Data)
	if err == nil {
		return event{e, fact}
	}
	if !h.unreadable[e.Type] && len(h.unreadable) < maxUnreadable {
		h.unreadable[e.Type] = true
		h.cfg.Logger.Warn("subscribers get no events of a type that cannot be read", "type", e.Type, "first", e.Position, "error", err)
	}
	return event{e, nil}
}
