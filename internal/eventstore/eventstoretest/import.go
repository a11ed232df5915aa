package eventstoretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// RunImport runs every case about imports against logs that open returns. They
// must be open for an import.
func RunImport(t *testing.T, open Open) {
	for _, c := range ImportCases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// ImportCases returns the parts of what RunImport checks.
func ImportCases() []Case {
	return []Case{
		{"an imported log reads like its source", importsAll},
		{"an imported log continues where it ended", importsGoOn},
		{"an import of nothing copies the epoch", importsNothing},
		{"an import into a log with events is refused", importRefusesEvents},
		{"an import of less than a whole log is refused and changes nothing", importRefusesBroken},
		{"an import whose events end with an error changes nothing", importPassesErrors},
		{"an import whose context ends changes nothing", importEnds},
		{"no part of an import is visible before its end", importHides},
		{"a follower gets the imported events", importWakes},
	}
}

const importedEpoch = "epoch-of-another-log"

// imported is a log: some appends to one and to several streams.
func imported(appends int) []eventstore.Event {
	var events []eventstore.Event
	for i := range appends {
		a := command(fmt.Sprint(i), to(domain.StreamID(fmt.Sprintf("single:%d", i)), 0, 1))
		switch i % 4 {
		case 1:
			a = command(fmt.Sprint(i), to("often", int64(i/4)*2, 2), to(domain.StreamID(fmt.Sprintf("beside:%d", i)), 0, 1))
		case 3:
			a.CorrelationID, a.TraceID, a.Command.Actor = "", "", fmt.Sprint("actor ☃ <&> ", i)
			a.Events[0].Data = json.RawMessage(`{"text":"☃ <b>&amp;</b> \u2028 \" \\ \n","z":{"b":[1,2.5,null,true]},"a":""}`)
		}
		events = append(events, a.At(domain.Position(len(events)))...)
	}
	return events
}

// inBatches returns an iterator over events in batches, like that of a file, with
// err at the end unless it is nil.
func inBatches(events []eventstore.Event, size int, err error) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch := range slices.Chunk(events, size) {
			if !yield(batch, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func mustImport(t testing.TB, log eventstore.Log, events []eventstore.Event) {
	t.Helper()
	if err := log.Import(guarded(t), importedEpoch, inBatches(events, 7, nil)); err != nil {
		t.Fatalf("Import: %v", err)
	}
}

// wantImported checks a log after an import.
func wantImported(t testing.TB, log eventstore.Log, want []eventstore.Event) {
	t.Helper()
	head, err := log.Head(guarded(t))
	if err != nil || head != (eventstore.Head{Epoch: importedEpoch, Position: domain.Position(len(want))}) {
		t.Errorf("Head: got %+v, error %v; want %s at %d", head, err, importedEpoch, len(want))
	}
	wantEvents(t, "ReadAll", everything(t, log), want)
}

// wantUntouched checks that a log is still empty and has its own epoch.
func wantUntouched(t testing.TB, log eventstore.Log, was eventstore.Head) {
	t.Helper()
	wantHead(t, log, 0)
	if head, err := log.Head(guarded(t)); err != nil || head != was {
		t.Errorf("Head: got %+v, error %v; want %+v as before", head, err, was)
	}
	wantVersions(t, log, "often", 0)
}

func headOf(t testing.TB, log eventstore.Log) eventstore.Head {
	t.Helper()
	head, err := log.Head(guarded(t))
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	return head
}

func importsAll(t testing.TB, open Open) {
	for _, appends := range []int{1, 2, 3, 40, 2000} {
		log, want := open(t), imported(appends)
		mustImport(t, log, want)
		wantImported(t, log, want)
		got, err := follow(guarded(t), log, 0, domain.Position(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		wantEvents(t, "Follow", got, want)
		wantVersions(t, log, "often", int64(appends+2)/4*2)
	}
}

func importsGoOn(t testing.TB, open Open) {
	log, want := open(t), imported(8)
	mustImport(t, log, want)
	for _, e := range want {
		if e.Command == nil {
			continue
		}
		key := eventstore.CommandKey{Actor: e.Actor, ID: e.CommandID}
		first := want[e.Position-1:][:e.Command.Events]
		c, found, err := log.Committed(guarded(t), key)
		if err != nil || !found || c.Fingerprint != e.Command.Fingerprint {
			t.Fatalf("Committed %s: got %t, fingerprint %q, error %v; want %q", key.ID, found, c.Fingerprint, err, e.Command.Fingerprint)
		}
		wantEvents(t, "Committed", c.Events, first)
		repeat := command("", to("new", 0, 1))
		repeat.Command = eventstore.Command{CommandKey: key, Fingerprint: e.Command.Fingerprint}
		again, err := log.Append(guarded(t), repeat)
		if err != nil || !again.Repeated {
			t.Fatalf("Append %s again: got Repeated %t, error %v; want the first commit", key.ID, again.Repeated, err)
		}
		wantEvents(t, "Append again", again.Events, first)
		repeat.Command.Fingerprint = "another"
		if _, err := log.Append(guarded(t), repeat); !errors.Is(err, eventstore.ErrCommandReused) {
			t.Errorf("Append %s for something else: got error %v, want ErrCommandReused", key.ID, err)
		}
	}
	var conflict *eventstore.ConflictError
	if _, err := log.Append(guarded(t), command("stale", to("often", 2, 1))); !errors.As(err, &conflict) || conflict.Actual != 4 {
		t.Errorf("Append at an old version: got error %v, want a conflict at version 4", err)
	}
	commit := mustAppend(t, log, command("next", to("often", 4, 1), to("new", 0, 1)))
	wantImported(t, log, append(want, commit.Events...))
}

func importsNothing(t testing.TB, open Open) {
	log := open(t)
	mustImport(t, log, nil)
	wantImported(t, log, nil)
	mustAppend(t, log, command("first", to("s", 0, 1)))
	wantHead(t, log, 1)
}

func importRefusesEvents(t testing.TB, open Open) {
	log := open(t)
	commit := mustAppend(t, log, command("there", to("s", 0, 2)))
	was := headOf(t, log)
	for _, events := range [][]eventstore.Event{imported(8), nil} {
		if err := log.Import(guarded(t), importedEpoch, inBatches(events, 7, nil)); domain.KindOf(err) != domain.Invalid {
			t.Errorf("Import of %d events into a log with events: got error %v, want one of kind Invalid", len(events), err)
		}
		if head := headOf(t, log); head != was {
			t.Errorf("Head: got %+v, want %+v as before", head, was)
		}
		wantEvents(t, "ReadAll", everything(t, log), commit.Events)
	}
}

// spoiled returns logs with one thing wrong in each.
func spoiled() map[string][]eventstore.Event {
	good := imported(8)
	spoil := func(f func(events []eventstore.Event) []eventstore.Event) []eventstore.Event {
		return f(slices.Clone(good))
	}
	at := func(i int, f func(e *eventstore.Event)) []eventstore.Event {
		return spoil(func(events []eventstore.Event) []eventstore.Event { f(&events[i]); return events })
	}
	return map[string][]eventstore.Event{
		"a gap":                     spoil(func(e []eventstore.Event) []eventstore.Event { return slices.Delete(e, 5, 6) }),
		"the first missing":         good[1:],
		"an event twice":            spoil(func(e []eventstore.Event) []eventstore.Event { return slices.Insert(e, 4, e[4]) }),
		"the end of an append lost": good[:2],
		"a version twice":           at(2, func(e *eventstore.Event) { e.Version = 1 }),
		"a version left out":        at(7, func(e *eventstore.Event) { e.Version = 9 }),
		"versions out of order": spoil(func(e []eventstore.Event) []eventstore.Event {
			e[1].Version, e[2].Version = 2, 1
			return e
		}),
		"a command twice":           at(4, func(e *eventstore.Event) { e.Actor, e.CommandID = "actor", "0" }),
		"no command mark":           at(1, func(e *eventstore.Event) { e.Command = nil }),
		"a mark inside an append":   at(2, func(e *eventstore.Event) { e.Command = &eventstore.CommandMark{Fingerprint: "f", Events: 1} }),
		"a mark for too few events": at(1, func(e *eventstore.Event) { e.Command = &eventstore.CommandMark{Fingerprint: "f", Events: 2} }),
		"two commands in an append": at(2, func(e *eventstore.Event) { e.CommandID = "other" }),
		"no stream":                 at(6, func(e *eventstore.Event) { e.Stream = "" }),
		"no type":                   at(6, func(e *eventstore.Event) { e.Type = "" }),
		"data that are no object":   at(6, func(e *eventstore.Event) { e.Data = json.RawMessage(`[]`) }),
		"data that is not JSON":     at(len(good)-1, func(e *eventstore.Event) { e.Data = json.RawMessage(`{"a":`) }),
	}
}

func importRefusesBroken(t testing.TB, open Open) {
	log := open(t)
	was := headOf(t, log)
	for name, events := range spoiled() {
		for _, size := range []int{1, 100} {
			if err := log.Import(guarded(t), importedEpoch, inBatches(events, size, nil)); domain.KindOf(err) != domain.Invalid {
				t.Fatalf("Import with %s: got error %v, want one of kind Invalid", name, err)
			}
			wantUntouched(t, log, was)
		}
	}
	if err := log.Import(guarded(t), "", inBatches(imported(8), 100, nil)); err == nil {
		t.Error("Import without an epoch: got no error")
	}
	mustImport(t, log, imported(8))
	wantImported(t, log, imported(8))
}

func importPassesErrors(t testing.TB, open Open) {
	log := open(t)
	was := headOf(t, log)
	cut := domain.Errorf(domain.Invalid, "the file is cut off")
	for _, appends := range []int{0, 8, 2000} {
		if err := log.Import(guarded(t), importedEpoch, inBatches(imported(appends), 7, cut)); !errors.Is(err, cut) {
			t.Errorf("Import of events that end with an error: got error %v, want %v", err, cut)
		}
		wantUntouched(t, log, was)
	}
	mustImport(t, log, imported(8))
	wantImported(t, log, imported(8))
}

func importEnds(t testing.TB, open Open) {
	log := open(t)
	was := headOf(t, log)
	ctx, cancel := context.WithCancel(guarded(t))
	err := log.Import(ctx, importedEpoch, func(yield func([]eventstore.Event, error) bool) {
		for batch := range slices.Chunk(imported(2000), 100) {
			if batch[0].Position > 1000 {
				cancel()
			}
			if !yield(batch, nil) {
				return
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Import whose context ends: got error %v, want context.Canceled", err)
	}
	wantUntouched(t, log, was)
	mustImport(t, log, imported(8))
	wantImported(t, log, imported(8))
}

func importHides(t testing.TB, open Open) {
	log, want := open(t), imported(2000)
	was := headOf(t, log)
	err := log.Import(guarded(t), importedEpoch, func(yield func([]eventstore.Event, error) bool) {
		for batch := range slices.Chunk(want, 500) {
			wantUntouched(t, log, was)
			if !yield(batch, nil) {
				return
			}
		}
		wantUntouched(t, log, was)
	})
	if err != nil {
		t.Fatalf("Import: %v", err)
	}
	wantImported(t, log, want)
}

func importWakes(t testing.TB, open Open) {
	log, want := open(t), imported(40)
	type result struct {
		events []eventstore.Event
		err    error
	}
	followed := make(chan result, 1)
	go func() {
		events, err := follow(guarded(t), log, 0, domain.Position(len(want)))
		followed <- result{events, err}
	}()
	time.Sleep(50 * time.Millisecond) // lets the follower start waiting, which makes the case stricter
	mustImport(t, log, want)
	r := <-followed
	if r.err != nil {
		t.Fatal(r.err)
	}
	wantEvents(t, "Follow", r.events, want)
}
