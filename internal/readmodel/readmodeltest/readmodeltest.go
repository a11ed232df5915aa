// Package readmodeltest is what every read model must pass before anything is
// built on it: one check for each promise in the comments of package readmodel,
// and random batches compared with a store that is too plain to be wrong.
package readmodeltest

import (
	"context"
	"testing"
	"time"

	"chirp/internal/readmodel"
)

// Run checks the stores that open gives. Each call of open gives an empty
// store of its own, and closes it in a cleanup.
func Run(t *testing.T, open func(t testing.TB) readmodel.Store) {
	run(t, Suite{Open: open, Patience: time.Minute}.Checks())
}

// RunShared checks what processes that share a store see of each other: open
// gives two handles on one empty store.
func RunShared(t *testing.T, open func(t testing.TB) (one, other readmodel.Store)) {
	run(t, SharedSuite{Open: open, Patience: time.Minute}.Checks())
}

// RunLease checks the lease of a store that several processes can project to.
func RunLease(t *testing.T, open func(t testing.TB) (one, other readmodel.Store)) {
	run(t, SharedSuite{Open: open, Patience: time.Minute}.LeaseChecks())
}

// Check is one promise of the contract.
type Check struct {
	Name string
	Run  func(t testing.TB)
}

func run(t *testing.T, checks []Check) {
	for _, c := range checks {
		t.Run(c.Name, func(t *testing.T) { c.Run(t) })
	}
}

// Suite makes the checks of Run. Patience is how long something that must
// happen may take.
type Suite struct {
	Open     func(t testing.TB) readmodel.Store
	Patience time.Duration
}

// Checks gives the checks, the random one last.
func (s Suite) Checks() []Check {
	checks := []struct {
		name string
		run  func(w *world)
	}{
		{"serving creates one generation", checkServing},
		{"rows are read as they were written", checkRoundTrip},
		{"profiles are found by id, name and key", checkProfiles},
		{"missing rows are not found", checkMissing},
		{"a batch from another checkpoint is fenced", checkFencing},
		{"of racing projectors one wins", checkRacingProjectors},
		{"a partial checkpoint is kept", checkPartial},
		{"a batch that does not fit changes nothing", checkMisfits},
		{"steps take effect in order", checkOrder},
		{"a follow made anew in one batch is refreshed", checkRefresh},
		{"cleanup takes what is in its range", checkCleanup},
		{"backfill puts what is in its range", checkBackfill},
		{"fan-out reaches the followers in its range", checkFanOut},
		{"fan-out may come before its chirp", checkEarlyFanOut},
		{"marks set what is in their range", checkMarks},
		{"lists keep to their windows", checkWindows},
		{"pulled chirps come from any number of authors", checkPullChirps},
		{"what is recent comes from everybody", checkRecent},
		{"timelines hold what was pushed", checkDelivery},
		{"totals count every row", checkTotals},
		{"follows are found in sets", checkFollows},
		{"ranges are measured in rows", checkThrough},
		{"a snapshot is one moment", checkSnapshot},
		{"a batch is never seen in part", checkAtomic},
		{"await answers at once when the checkpoint is beyond", checkAwaitBeyond},
		{"await wakes every waiter", checkAwaitWakes},
		{"await ends with its context", checkAwaitEnds},
		{"one holder has the lease", checkOneHolder},
		{"random batches do what the contract says", checkRandom},
	}
	var made []Check
	for _, c := range checks {
		made = append(made, Check{Name: c.name, Run: func(t testing.TB) { c.run(s.world(t)) }})
	}
	return made
}

func (s Suite) world(t testing.TB) *world {
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	t.Cleanup(cancel)
	return &world{TB: t, ctx: ctx, open: s.Open, store: s.Open(t)}
}

// SharedSuite makes the checks of RunShared and RunLease.
type SharedSuite struct {
	Open     func(t testing.TB) (one, other readmodel.Store)
	Patience time.Duration
}

// Checks gives the checks of RunShared.
func (s SharedSuite) Checks() []Check {
	return s.checks([]sharedCheck{
		{"both see one generation", checkSharedServing},
		{"both see what one has applied", checkSharedRows},
		{"each wakes to the other's checkpoint", checkSharedAwait},
		{"one fences the other", checkSharedFencing},
	})
}

// LeaseChecks gives the checks of RunLease.
func (s SharedSuite) LeaseChecks() []Check {
	return s.checks([]sharedCheck{
		{"the lease is one holder's at a time", checkLease},
		{"a lease runs out", checkLeaseEnds},
		{"of racing holders one wins", checkLeaseRace},
	})
}

type sharedCheck struct {
	name string
	run  func(one, other *world)
}

func (s SharedSuite) checks(checks []sharedCheck) []Check {
	var made []Check
	for _, c := range checks {
		made = append(made, Check{Name: c.name, Run: func(t testing.TB) {
			ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
			t.Cleanup(cancel)
			one, other := s.Open(t)
			c.run(&world{TB: t, ctx: ctx, store: one}, &world{TB: t, ctx: ctx, store: other})
		}})
	}
	return made
}
