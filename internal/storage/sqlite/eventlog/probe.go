package eventlog

import (
	"context"
	"strings"
	"time"

	"chirp/internal/eventstore"
)

// TryWrite writes an event as an append does, to the same pages, and takes it
// away within its transaction.
func (l *Log) TryWrite(ctx context.Context) error {
	return l.write(ctx, "try to write", 0, func(g *group) error {
		event := eventstore.Event{
			Position: g.head + 1, Stream: "probe", Version: 1, Type: "probe", Data: []byte(`{"text":"` + strings.Repeat("x", probeBytes) + `"}`),
			RecordedAt: time.Now(), Actor: "probe", CommandID: "probe", Command: &eventstore.CommandMark{Fingerprint: "probe", Events: 1},
		}
		if _, err := g.insert.Exec(row(nil, event)...); err != nil {
			return err
		}
		return g.exec("DELETE FROM events WHERE position = ? AND stream = 'probe'", int64(event.Position))
	})
}

// probeBytes is the size of what is tried: somewhat more than a chirp has.
const probeBytes = 1500
