package integrity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// Problems returns what is wrong, a line each.
func (m *Monitor) Problems() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	if m.damage != nil {
		lines = append(lines, m.damage.Error())
	}
	if m.lost != nil {
		lines = append(lines, m.lost.Error())
	}
	if m.failed != nil && !conn.Transient(m.failed) {
		lines = append(lines, fmt.Sprintf("the log cannot be checked for losses: %v", m.failed))
	}
	return lines
}

// Notices returns what the operator should repair although the log can be relied
// on, a line each. These are no problems, because one stray document must not
// take all servers out of a load balancer.
func (m *Monitor) Notices() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(m.strays), maps.Keys(m.skipped)))))
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(m.beyond, name) })
	if len(names) == 0 {
		return nil
	}
	return []string{describeStrays(names)}
}

// Refusal returns the error of an append that is not attempted because the log
// cannot be relied on, or nil if it can.
func (m *Monitor) Refusal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.damage == nil {
		return nil
	}
	return Distrust(m.damage)
}

// Distrust returns an error of kind Unavailable for callers, which keeps the
// reason why the log cannot be relied on.
func Distrust(reason error) error {
	return fmt.Errorf("%w: %w", &domain.Error{Kind: domain.Unavailable, Msg: "the log of events cannot be relied on until the operator has repaired it"}, reason)
}

// Explain returns the refusal of an append whose error shows that the log cannot
// be relied on. It returns nil for any other error.
func (m *Monitor) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var d *format.Damage
	if !errors.As(err, &d) && !conn.HasCode(err, conn.CodeCollectionUUIDMismatch) && !errors.Is(err, errIndexesGone) {
		return nil
	}
	m.Check(ctx)
	if refused := m.Refusal(); refused != nil {
		return refused
	}
	return Distrust(err)
}
