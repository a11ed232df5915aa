package integrity

import (
	"context"

	"chirp/internal/domain"
)

// FirstGap is firstGap.
func (m *Monitor) FirstGap(ctx context.Context) (domain.Position, error) { return m.firstGap(ctx) }
