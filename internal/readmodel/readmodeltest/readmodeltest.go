// Package readmodeltest is the suite that every read model must pass. It has a check
// for each promise in the comments of package readmodel, and compares the effects of
// random batches with those on Memory, a store too simple to be wrong.
package readmodeltest

import (
	"context"
	"testing"
	"time"

	"chirp/internal/readmodel"
)

// Run checks the stores that open returns. Each call of open must return a new empty
// store, and close it in a cleanup.
func Run(t *testing.T, open func(t testing.TB) readmodel.Store) {
	run(t, Suite{Open: open, Patience: time.Minute}.Checks())
}

// RunShared checks that processes that share a store see each other's changes. open
// returns two handles on one empty store.
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

// Suite provides the checks of Run. Patience bounds the time that a check waits for
// what must happen.
type Suite struct {
	Open     func(t testing.TB) readmodel.Store
	Patience time.Duration
}

// Checks returns the checks of Run, with the random one last.
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
		{"one of several racing projectors wins", checkRacingProjectors},
		{"a partial checkpoint is stored", checkPartial},
		{"a batch that does not fit changes nothing", checkMisfits},
		{"steps take effect in order", checkOrder},
		{"a follow removed and made again in one batch is replaced", checkRefresh},
		{"cleanup removes what is in its range", checkCleanup},
		{"backfill adds what is in its range", checkBackfill},
		{"fan-out reaches the followers in its range", checkFanOut},
		{"fan-out may come before its chirp", checkEarlyFanOut},
		{"marks set what is in their range", checkMarks},
		{"lists respect their windows", checkWindows},
		{"chirps come from any number of sources", checkSourceChirps},
		{"sources have what a follow skips", checkSources},
		{"recent rows come from all users", checkRecent},
		{"timelines contain only pushed chirps", checkDelivery},
		{"totals count every row", checkTotals},
		{"follows are found among several users", checkFollows},
		{"ranges end at the number of rows asked for", checkThrough},
		{"a snapshot shows one moment", checkSnapshot},
		{"a batch is never seen in part", checkAtomic},
		{"await returns immediately when the checkpoint is beyond", checkAwaitBeyond},
		{"await wakes every waiter", checkAwaitWakes},
		{"await ends with its context", checkAwaitEnds},
		{"a single holder gets the lease", checkOneHolder},
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

// SharedSuite provides the checks of RunShared, RunLease and RunGenerations.
type SharedSuite struct {
	Open     func(t testing.TB) (one, other readmodel.Store)
	Patience time.Duration
}

// Checks returns the checks of RunShared.
func (s SharedSuite) Checks() []Check {
	return s.checks([]sharedCheck{
		{"both see one generation", checkSharedServing},
		{"both see what one has applied", checkSharedRows},
		{"await learns of the other's checkpoint", checkSharedAwait},
		{"one fences the other", checkSharedFencing},
	})
}

// LeaseChecks returns the checks of RunLease.
func (s SharedSuite) LeaseChecks() []Check {
	return s.checks([]sharedCheck{
		{"the lease has one holder at a time", checkLease},
		{"a lease expires", checkLeaseEnds},
		{"one of several racing holders wins", checkLeaseRace},
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
