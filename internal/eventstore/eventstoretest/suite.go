// Package eventstoretest holds what every eventstore.Log must pass. An
// adapter's test opens its log and calls Run and RunDurable; the package's own
// tests run the suite against logs that are broken on purpose, and see it fail.
package eventstoretest

import (
	"context"
	"slices"
	"testing"
	"time"

	"chirp/internal/eventstore"
)

// Open opens a new, empty log for a test, and arranges with t.Cleanup that it
// is closed.
type Open func(t testing.TB) eventstore.Log

// Case is one part of the suite. Its waits end with t's context, or at the
// latest after a minute.
type Case struct {
	// Name says what a log does that passes.
	Name string
	Run  func(t testing.TB, open Open)
}

// Run runs every case against logs that open gives.
func Run(t *testing.T, open func(t testing.TB) eventstore.Log) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// Cases gives the parts of the suite one by one, so that a test can see a
// broken log fail the part that is about its flaw.
func Cases() []Case {
	return slices.Concat(appendCases(), raceCases(), commandCases(), readCases(), followCases())
}

// hangGuard ends waits that would go on for ever. It is far above what any
// case takes.
const hangGuard = time.Minute

// guarded gives the context of a case.
func guarded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel)
	return ctx
}
