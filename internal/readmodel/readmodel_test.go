package readmodel_test

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
)

// patience is short, because some broken stores never do what a check waits for.
const patience = 2 * time.Second

func TestReferencePasses(t *testing.T) {
	readmodeltest.Run(t, func(testing.TB) readmodel.Store { return readmodeltest.NewMemory() })
	shared := func(testing.TB) (one, other readmodel.Store) {
		m := readmodeltest.NewMemory()
		return m, m
	}
	readmodeltest.RunShared(t, shared)
	readmodeltest.RunLease(t, shared)
	readmodeltest.RunGenerations(t, shared)
}

func TestSuiteFailsBrokenStores(t *testing.T) {
	quietRapid(t)
	for _, f := range slices.Concat(deliveryFaults(), transactionFaults(), readFaults(), waitFaults()) {
		t.Run(f.name, func(t *testing.T) {
			suite := readmodeltest.Suite{Patience: patience, Open: func(testing.TB) readmodel.Store {
				m := readmodeltest.NewMemory()
				b := f.make(m)
				b.Store = m
				return b
			}}
			wantFailures(t, suite.Checks(), f.found)
		})
	}
}

func TestSharedSuiteFailsBrokenStores(t *testing.T) {
	for _, f := range sharedFaults() {
		t.Run(f.name+"/"+f.found[0], func(t *testing.T) {
			suite := readmodeltest.SharedSuite{Patience: patience, Open: func(testing.TB) (one, other readmodel.Store) {
				m := readmodeltest.NewMemory()
				b := f.make(m)
				b.Store = m
				return m, b
			}}
			wantFailures(t, append(suite.Checks(), suite.LeaseChecks()...), f.found)
		})
	}
}

// wantFailures runs the checks with some names and reports those that pass.
func wantFailures(t *testing.T, checks []readmodeltest.Check, names []string) {
	for _, name := range names {
		i := slices.IndexFunc(checks, func(c readmodeltest.Check) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("there is no check %q", name)
		}
		found := failures(t, checks[i])
		if len(found) == 0 {
			t.Errorf("%q passes", name)
		}
		t.Logf("%q: %.300s", name, strings.Join(found, "; "))
	}
}

// quietRapid keeps rapid from minimising and storing failures that the test wants. It
// also gives a short run as many checks as a whole one: rapid divides their number by
// five in short runs, which may be too few to find a fault.
func quietRapid(t *testing.T) {
	settings := map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "1ms"}
	if testing.Short() {
		settings["rapid.checks"] = "500"
	}
	for name, value := range settings {
		old := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, old) })
	}
}
