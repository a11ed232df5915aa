package health

import (
	"context"
	"sync"
	"time"

	"chirp/internal/domain"
)

// LagBound is how far the views may be behind the log, and what is pushed
// behind the views, before a server is not ready: everything older must be
// there.
const LagBound = 10 * time.Second

// lagSamples is how many samples LagBound takes, at one a second.
const lagSamples = int(LagBound / time.Second)

// Lag samples the ends of the log and of the views, to know where both were
// LagBound ago. The zero Lag has no samples.
type Lag struct {
	mu    sync.Mutex
	heads []domain.Position // of the log, one a second, the newest last
	views []domain.Position // the views' positions, likewise
	err   error             // of the last read of the log's head
}

// Run takes a sample every second until ctx ends.
func (l *Lag) Run(ctx context.Context, head func(context.Context) (domain.Position, error), views func() domain.Position) error {
	for tick := time.NewTicker(time.Second); ; {
		at := views()
		p, err := head(ctx)
		l.Observe(p, at, err)
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

// Observe adds a sample: the log's head, or the error of reading it, and the
// position of the views.
func (l *Lag) Observe(head, views domain.Position, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.views = appendSample(l.views, views)
	if l.err = err; err == nil {
		l.heads = appendSample(l.heads, head)
	}
}

// appendSample appends a position and drops those older than LagBound.
func appendSample(positions []domain.Position, p domain.Position) []domain.Position {
	positions = append(positions, p)
	return positions[max(0, len(positions)-lagSamples):]
}

// Views returns the position that the views must have reached by now: the log's
// head LagBound ago, or at the first sample if that is later. It returns the
// error of the last sample as well.
func (l *Lag) Views() (domain.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.heads) == 0 {
		return 0, l.err
	}
	return l.heads[0], l.err
}

// Pushes returns the position that pushes must have reached by now: that of the
// views LagBound ago, or 0 if the first sample is later.
func (l *Lag) Pushes() domain.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.views) < lagSamples {
		return 0
	}
	return l.views[0]
}
