package readmodeltest

import (
	"context"
	"slices"
	"time"

	"chirp/internal/readmodel"
)

// Build implements readmodel.Store.
func (m *Memory) Build(_ context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		return nil, readmodel.ErrNoViews
	}
	if b := m.building; b == nil || b.generation.Epoch != epoch || b.generation.Threshold != threshold {
		m.building = m.create(epoch, threshold)
	}
	return builder{writer{m, m.building.generation.Number}}, nil
}

// Unfinished implements readmodel.Store.
func (m *Memory) Unfinished(context.Context) (readmodel.Generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.building == nil {
		return readmodel.Generation{}, readmodel.ErrNotFound
	}
	return m.building.generation, nil
}

// DropRetired implements readmodel.Store.
func (m *Memory) DropRetired(_ context.Context, age time.Duration) ([]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var dropped []int
	for number, since := range m.retired {
		if time.Since(since) >= age {
			dropped = append(dropped, number)
			delete(m.retired, number)
		}
	}
	slices.Sort(dropped)
	return dropped, nil
}

type builder struct{ writer }

// Finish implements readmodel.Builder. It has nothing to build.
func (b builder) Finish(context.Context) error {
	_, err := b.now()
	return err
}

// Hold implements readmodel.Builder.
func (b builder) Hold(_ context.Context, d time.Duration) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	switch next := b.m.building; {
	case b.m.state.generation.Number == b.number:
		return nil
	case next == nil || next.generation.Number != b.number:
		return readmodel.ErrFenced
	}
	b.m.held = time.Now().Add(d)
	return nil
}

// Switch implements readmodel.Builder.
func (b builder) Switch(context.Context) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	old, next := b.m.state, b.m.building
	switch {
	case old.generation.Number == b.number:
		return nil
	case next == nil || next.generation.Number != b.number:
		return readmodel.ErrFenced
	case next.generation.Checkpoint.Position < old.generation.Checkpoint.Position:
		return readmodel.ErrBehind
	}
	b.m.retired[old.generation.Number] = time.Now()
	b.m.building, b.m.held = nil, time.Time{}
	b.m.replace(next)
	return nil
}
