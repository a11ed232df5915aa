package eventstoretest_test

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

// importFlaw is one way for an import to be wrong.
type importFlaw int

const (
	noImportFlaw importFlaw = iota
	keepsTheEpoch
	importsIntoEvents
	trustsTheSequence
	trustsTheEnd
	trustsTheStreams
	trustsTheCommands
	keepsWhatCame
	ignoresTheError
	ignoresTheContext
	showsWhatCame
	forgetsImportedCommands
	forgetsImportedVersions
	importsTheFirstBatch
	importsAsleep
	reordersTheImported
)

// importing is a log in memory with an Import.
type importing struct {
	*memory
	flaw importFlaw
}

func newImporting(f importFlaw) importing { return importing{newMemory(none), f} }

func (m importing) Import(ctx context.Context, epoch string, batches iter.Seq2[[]eventstore.Event, error]) error {
	if head, _ := m.Head(ctx); head.Position > 0 && m.flaw != importsIntoEvents {
		return eventstore.NotEmpty(head.Position)
	}
	if epoch == "" {
		return domain.Errorf(domain.Invalid, "no epoch")
	}
	all, err := m.collect(ctx, batches)
	if err == nil {
		err = m.check(all)
	}
	if err != nil && m.flaw != keepsWhatCame {
		if m.flaw == showsWhatCame {
			m.show(nil)
		}
		return err
	}
	if m.flaw == importsTheFirstBatch {
		all = all[:min(len(all), 7)]
	}
	if m.flaw == reordersTheImported {
		slices.Reverse(all)
	}
	m.take(all)
	if m.flaw != keepsTheEpoch {
		m.epoch = epoch
	}
	if m.flaw != importsAsleep {
		m.tail.Reset()
	}
	return err
}

func (m importing) collect(ctx context.Context, batches iter.Seq2[[]eventstore.Event, error]) (events, error) {
	var all events
	var sequence eventstore.Sequence
	for batch, err := range batches {
		if err == nil && m.flaw != ignoresTheContext {
			err = ctx.Err()
		}
		if err != nil && m.flaw != ignoresTheError {
			return all, err
		}
		for _, e := range batch {
			if err := sequence.Next(e); err != nil && m.flaw != trustsTheSequence {
				return all, err
			}
		}
		all = append(all, batch...)
		if m.flaw == showsWhatCame {
			m.show(all)
		}
	}
	if m.flaw == trustsTheSequence || m.flaw == trustsTheEnd {
		return all, nil
	}
	return all, sequence.End()
}

// check checks what only all events together show.
func (m importing) check(all events) error {
	commands := map[eventstore.CommandKey]bool{}
	for _, e := range all {
		key := eventstore.CommandKey{Actor: e.Actor, ID: e.CommandID}
		if e.Command != nil && commands[key] && m.flaw != trustsTheCommands {
			return domain.Errorf(domain.Invalid, "a command twice")
		}
		commands[key] = true
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b eventstore.Event) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Version, b.Version))
	})
	var streams eventstore.Streams
	for _, e := range sorted {
		if err := streams.Next(e.Stream, e.Version, e.Position); err != nil && m.flaw != trustsTheStreams {
			return err
		}
	}
	return nil
}

func (m importing) show(all events) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = slices.Clone(all)
}

func (m importing) take(all events) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = all
	for i, e := range all {
		if m.flaw != forgetsImportedVersions {
			m.versions[e.Stream] = max(m.versions[e.Stream], e.Version)
		}
		if e.Command != nil && m.flaw != forgetsImportedCommands {
			end := min(len(all), i+e.Command.Events)
			m.commits[eventstore.CommandKey{Actor: e.Actor, ID: e.CommandID}] = eventstore.Commit{Events: all[i:end], Fingerprint: e.Command.Fingerprint}
		}
	}
}

func TestImportThatWorksPasses(t *testing.T) {
	eventstoretest.RunImport(t, func(testing.TB) eventstore.Log { return newImporting(noImportFlaw) })
}

func TestBrokenImportFails(t *testing.T) {
	const (
		whole, on, nothing = "an imported log reads like its source", "an imported log continues where it ended", "an import of nothing copies the epoch"
		broken             = "an import of less than a whole log is refused and changes nothing"
		errs               = "an import whose events end with an error changes nothing"
	)
	tried := map[string]bool{}
	for _, b := range []struct {
		does string
		flaw importFlaw
		part string
	}{
		{"keeps its epoch", keepsTheEpoch, whole},
		{"imports the first batch alone", importsTheFirstBatch, whole},
		{"reorders the events", reordersTheImported, whole},
		{"forgets the commands", forgetsImportedCommands, on},
		{"forgets the versions", forgetsImportedVersions, on},
		{"keeps its epoch without events", keepsTheEpoch, nothing},
		{"imports into a log with events", importsIntoEvents, "an import into a log with events is refused"},
		{"trusts the order of events", trustsTheSequence, broken},
		{"trusts that the end is there", trustsTheEnd, broken},
		{"trusts the versions", trustsTheStreams, broken},
		{"trusts the commands", trustsTheCommands, broken},
		{"keeps what came before the fault", keepsWhatCame, broken},
		{"keeps what came before the error", keepsWhatCame, errs},
		{"takes an error for the end", ignoresTheError, errs},
		{"goes on when its context has ended", ignoresTheContext, "an import whose context ends changes nothing"},
		{"shows what has come", showsWhatCame, "no part of an import is visible before its end"},
		{"wakes nobody", importsAsleep, "a follower gets the imported events"},
	} {
		tried[b.part] = true
		t.Run(b.does, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(eventstoretest.ImportCases(), func(c eventstoretest.Case) bool { return c.Name == b.part })
			got := failure(t, func(t testing.TB) {
				eventstoretest.ImportCases()[i].Run(t, func(testing.TB) eventstore.Log { return newImporting(b.flaw) })
			})
			if got == "" {
				t.Fatalf("an import that %s passed %q", b.does, b.part)
			}
			t.Log(got)
		})
	}
	for _, c := range eventstoretest.ImportCases() {
		if !tried[c.Name] {
			t.Errorf("no broken import was tried on %q", c.Name)
		}
	}
}
