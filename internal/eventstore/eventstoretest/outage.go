package eventstoretest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Failing is a log that a test can put out of reach.
type Failing struct {
	eventstore.Log
	// Fail makes every read of the log fail with an error of kind Unavailable,
	// until Mend is called.
	Fail func()
	Mend func()
}

// RunOutage runs every case about outages against logs that open returns.
func RunOutage(t *testing.T, open func(t testing.TB) Failing) {
	for _, c := range OutageCases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// OutageCase is one part of what RunOutage checks.
type OutageCase struct {
	Name string
	Run  func(t testing.TB, open func(t testing.TB) Failing)
}

// OutageCases returns the parts of what RunOutage checks.
func OutageCases() []OutageCase {
	return []OutageCase{
		{"a follower continues after an outage", followsThroughAnOutage},
		{"a follower that starts in an outage waits for its end", followsFromAnOutage},
		{"a follower that starts in an outage ends with its context", outageEnds},
	}
}

// outageLasts is how long the outages last: long enough for several attempts to
// read.
const outageLasts = 300 * time.Millisecond

// fail begins an outage, and checks that it is one.
func (f Failing) fail(t testing.TB) {
	t.Helper()
	f.Fail()
	if events, err := f.ReadAll(guarded(t), 0, 1); domain.KindOf(err) != domain.Unavailable {
		t.Fatalf("ReadAll in an outage: got %d events, error %v; want an error of kind Unavailable", len(events), err)
	}
}

func followsThroughAnOutage(t testing.TB, open func(t testing.TB) Failing) {
	log := open(t)
	fill(t, log, "before", 3)
	g, ctx := errgroup.WithContext(guarded(t))
	reached := make(chan struct{})
	g.Go(func() error {
		at := domain.Position(0)
		for batch, err := range log.Follow(ctx, 0) {
			if err == nil {
				err = wantNext(at, batch)
			}
			if err != nil {
				return fmt.Errorf("Follow at %d: %w", at, err)
			}
			switch at += domain.Position(len(batch)); at {
			case 3:
				close(reached)
			case 6:
				return nil
			}
		}
		return errors.New("Follow ended without an error")
	})
	select {
	case <-reached:
	case <-ctx.Done():
		t.Fatalf("Follow returned too little before the outage: %v", errors.Join(ctx.Err(), g.Wait()))
	}
	log.fail(t)
	time.Sleep(outageLasts)
	log.Mend()
	for i := range 3 {
		mustAppend(t, log, command(fmt.Sprint("after ", i), to("after", int64(i), 1)))
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func followsFromAnOutage(t testing.TB, open func(t testing.TB) Failing) {
	log := open(t)
	fill(t, log, "before", 3)
	log.fail(t)
	g, ctx := errgroup.WithContext(guarded(t))
	for _, after := range []domain.Position{0, 2} {
		g.Go(func() error { _, err := follow(ctx, log, after, 3); return err })
	}
	g.Go(func() error {
		for _, err := range log.Follow(ctx, 4) {
			if domain.KindOf(err) != domain.CursorInvalid {
				return fmt.Errorf("Follow from beyond the head: got error %v, want one of kind CursorInvalid", err)
			}
		}
		return nil
	})
	time.Sleep(outageLasts)
	log.Mend()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func outageEnds(t testing.TB, open func(t testing.TB) Failing) {
	log := open(t)
	fill(t, log, "before", 1)
	log.fail(t)
	for _, after := range []domain.Position{0, 1} {
		followEndsWith(t, log, after)
	}
	log.Mend()
}
