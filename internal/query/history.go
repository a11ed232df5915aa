package query

import (
	"context"
	"slices"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// historyID numbers the histories in the order in which history found them. 0 is
// none: what is read is not kept.
type historyID int64

// history tells the histories of the views apart: a generation of the views, and a
// history of the log that it was made from. While a database is restored from a backup
// under a running server, the generation's number and the log's epoch stay the same, but
// other events take the positions after the backup's end. The hash of the event at a
// snapshot's checkpoint shows that: if the log has that event, and also the one at a
// checkpoint that was seen before, then all events before both are the same.
type history struct {
	checking chan struct{} // holds the token of the one who reads the log

	mu         sync.Mutex
	id         historyID
	generation readmodel.Generation // its checkpoint is the latest of the history that was seen
	seen       []readmodel.Checkpoint
}

// maxSeen bounds how many checkpoints a history remembers. Snapshots that are opened at
// the same time are at the last few.
const maxSeen = 16

// hashesFunc is Service.Hashes.
type hashesFunc func(context.Context, []domain.Position) (map[domain.Position]domain.EventHash, error)

// of returns the history of a snapshot that was opened before the call, or 0 if it is
// not certain. It reads the log once for each checkpoint.
func (h *history) of(ctx context.Context, g readmodel.Generation, hashes hashesFunc) historyID {
	if g.Checkpoint.Event == 0 {
		return 0
	}
	if id := h.known(g); id != 0 {
		return id
	}
	select {
	case h.checking <- struct{}{}:
		defer func() { <-h.checking }()
	case <-ctx.Done():
		return 0
	}
	if id := h.known(g); id != 0 { // another caller has checked it meanwhile
		return id
	}
	return h.check(ctx, g, hashes)
}

// known returns the history if the checkpoint is one of it that was seen.
func (h *history) known(g readmodel.Generation) historyID {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sameGeneration(g) && slices.Contains(h.seen, whole(g.Checkpoint)) {
		return h.id
	}
	return 0
}

func (h *history) sameGeneration(g readmodel.Generation) bool {
	return h.id != 0 && h.generation.Number == g.Number && h.generation.Epoch == g.Epoch
}

// whole is a checkpoint without the part of the next event, which is not shown.
func whole(c readmodel.Checkpoint) readmodel.Checkpoint {
	c.Partial = 0
	return c
}

// check compares a snapshot and the latest checkpoint of the history with the log, and
// begins another history unless both belong to it. Its caller holds the token.
func (h *history) check(ctx context.Context, g readmodel.Generation, hashes hashesFunc) historyID {
	h.mu.Lock()
	at, latest, same := whole(g.Checkpoint), h.generation.Checkpoint, h.sameGeneration(g)
	h.mu.Unlock()
	positions := []domain.Position{at.Position}
	if same {
		positions = append(positions, latest.Position)
	}
	found, err := hashes(ctx, positions)
	if err != nil || found[at.Position] != at.Event {
		return 0 // the views and the log are not of one history now
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !same || found[latest.Position] != latest.Event {
		h.id++
		h.generation, h.seen = g, nil
	}
	if at.Position >= h.generation.Checkpoint.Position {
		h.generation.Checkpoint = at
	}
	if len(h.seen) == maxSeen {
		h.seen = h.seen[1:]
	}
	h.seen = append(h.seen, at)
	return h.id
}
