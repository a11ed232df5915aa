package eventstoretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func appendCases() []Case {
	return []Case{
		{"append writes the events at consecutive positions in order", appendsInOrder},
		{"append continues a stream", appendsOn},
		{"append may alternate between streams", appendsByTurns},
		{"append returns what can be read immediately", appendsVisibly},
		{"append takes more events than a read returns", appendsMany},
		{"a conflict names the stream and writes nothing", appendConflicts},
		{"append to several streams is all or nothing", appendsAllOrNothing},
		{"append refuses what is malformed", appendRefusesMalformed},
		{"append can be repeated after its context ended", appendSettles},
	}
}

func appendsInOrder(t testing.TB, open Open) {
	log := open(t)
	wantHead(t, log, 0)
	first := command("first", to("b", 0, 2), to("a", 0, 1))
	second := command("second", to("c", 0, 1))
	wantEvents(t, "first commit", mustAppend(t, log, first).Events, first.At(0))
	wantEvents(t, "second commit", mustAppend(t, log, second).Events, second.At(3))
	wantEvents(t, "log", everything(t, log), append(first.At(0), second.At(3)...))
	wantHead(t, log, 4)
}

func appendsOn(t testing.TB, open Open) {
	log := open(t)
	for i, a := range []eventstore.Append{
		command("one", to("s", 0, 1)),
		command("two", to("s", 1, 3)),
		command("three", to("other", 0, 1), to("s", 4, 1)),
	} {
		commit := mustAppend(t, log, a)
		if got, want := commit.Position(), []domain.Position{1, 4, 6}[i]; got != want {
			t.Errorf("Append %s: got position %d, want %d", a.Command.ID, got, want)
		}
	}
	wantVersions(t, log, "s", 5)
}

// wantVersions checks that a stream has the versions 1 to last.
func wantVersions(t testing.TB, log eventstore.Log, stream domain.StreamID, last int64) {
	t.Helper()
	events, err := log.Load(guarded(t), stream)
	if err != nil || int64(len(events)) != last {
		t.Fatalf("Load %s: got %d events, error %v; want %d", stream, len(events), err, last)
	}
	for i, e := range events {
		if e.Version != int64(i)+1 || e.Stream != stream {
			t.Fatalf("Load %s: got %s at version %d, want version %d", stream, e.Stream, e.Version, i+1)
		}
	}
}

func appendsVisibly(t testing.TB, open Open) {
	log := open(t)
	for i := range 20 {
		stream := domain.StreamID(fmt.Sprintf("s:%d", i))
		a := command(string(stream), to(stream, 0, 1))
		want := mustAppend(t, log, a)
		wantVersions(t, log, stream, 1)
		wantHead(t, log, want.Position())
		got, found, err := log.Committed(guarded(t), a.Command.CommandKey)
		if err != nil || !found {
			t.Fatalf("Committed: got %t, error %v; want the commit", found, err)
		}
		wantEvents(t, "Committed", got.Events, want.Events)
	}
}

func appendsByTurns(t testing.TB, open Open) {
	log := open(t)
	mustAppend(t, log, command("setup", to("a", 0, 2)))
	a := command("by turns", to("a", 2, 2), to("b", 0, 2))
	a.Events[1], a.Events[2] = a.Events[2], a.Events[1]
	wantEvents(t, "commit", mustAppend(t, log, a).Events, a.At(2))
	wantVersions(t, log, "a", 4)
	wantVersions(t, log, "b", 2)
	again, err := log.Append(guarded(t), a)
	if err != nil {
		t.Fatalf("Append again: %v", err)
	}
	wantEvents(t, "commit repeated", again.Events, a.At(2))
}

func appendsMany(t testing.TB, open Open) {
	log := open(t)
	const n = 2500
	a := command("many", to("s", 0, n-1), to("last", 0, 1))
	wantEvents(t, "commit", mustAppend(t, log, a).Events, a.At(0))
	wantVersions(t, log, "s", n-1)
	got, err := follow(guarded(t), log, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, "Follow", got, a.At(0))
	again, err := log.Append(guarded(t), a)
	if err != nil {
		t.Fatalf("Append again: %v", err)
	}
	wantEvents(t, "commit repeated", again.Events, a.At(0))
}

func appendConflicts(t testing.TB, open Open) {
	log := open(t)
	mustAppend(t, log, command("setup", to("two", 0, 2)))
	for _, c := range []struct {
		name    string
		streams []write
		want    eventstore.ConflictError
	}{
		{"new for one that exists", []write{to("two", 0, 1)}, eventstore.ConflictError{Stream: "two", Expected: 0, Actual: 2}},
		{"behind", []write{to("two", 1, 1)}, eventstore.ConflictError{Stream: "two", Expected: 1, Actual: 2}},
		{"ahead", []write{to("two", 3, 1)}, eventstore.ConflictError{Stream: "two", Expected: 3, Actual: 2}},
		{"existing for a new one", []write{to("none", 1, 1)}, eventstore.ConflictError{Stream: "none", Expected: 1, Actual: 0}},
		{"one of several", []write{to("none", 0, 1), to("two", 1, 1)}, eventstore.ConflictError{Stream: "two", Expected: 1, Actual: 2}},
	} {
		commit, err := log.Append(guarded(t), command(c.name, c.streams...))
		var got *eventstore.ConflictError
		if !errors.As(err, &got) || !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("Append expecting %s: got error %v, want a *ConflictError", c.name, err)
			continue
		}
		if *got != c.want || len(commit.Events) != 0 {
			t.Errorf("Append expecting %s: got %+v and %d events, want %+v and none", c.name, *got, len(commit.Events), c.want)
		}
	}
	wantHead(t, log, 2)
	wantVersions(t, log, "none", 0)
	if got := mustAppend(t, log, command("after", to("two", 2, 1))).Position(); got != 3 {
		t.Errorf("Append after conflicts: got position %d, want 3", got)
	}
}

func appendsAllOrNothing(t testing.TB, open Open) {
	log := open(t)
	mustAppend(t, log, command("setup", to("taken", 0, 1)))
	bad := to("taken", 0, 1)
	for i, streams := range [][]write{
		{bad, to("a", 0, 2), to("b", 0, 1)},
		{to("a", 0, 2), bad, to("b", 0, 1)},
		{to("a", 0, 2), to("b", 0, 1), bad},
	} {
		if _, err := log.Append(guarded(t), command(fmt.Sprint(i), streams...)); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("Append with the conflict at stream %d: got error %v, want ErrConflict", i, err)
		}
	}
	wantVersions(t, log, "a", 0)
	wantVersions(t, log, "b", 0)
	wantVersions(t, log, "taken", 1)
	wantHead(t, log, 1)
	mustAppend(t, log, command("good", to("a", 0, 2), to("taken", 1, 1), to("b", 0, 1)))
	wantHead(t, log, 5)
}

func appendRefusesMalformed(t testing.TB, open Open) {
	log := open(t)
	data := func(s string) write {
		return write{stream: "s", events: []eventstore.NewEvent{{Stream: "s", Type: "t.v1", Data: json.RawMessage(s)}}}
	}
	nobody := command("nobody", to("s", 0, 1))
	nobody.Command.Actor = ""
	unmarked := command("unmarked", to("s", 0, 1))
	unmarked.Command.Fingerprint = ""
	for name, a := range map[string]eventstore.Append{
		"no actor":         nobody,
		"no fingerprint":   unmarked,
		"no command id":    command("", to("s", 0, 1)),
		"no events":        command("a"),
		"a version alone":  command("b", to("t", 0, 1), to("s", 0, 0)),
		"no stream name":   command("c", to("", 0, 1)),
		"negative version": command("e", to("s", -1, 1)),
		"no data":          command("f", data(``)),
		"data not JSON":    command("g", data(`{"a":`)),
		"data no object":   command("h", data(`[1]`)),
	} {
		if _, err := log.Append(guarded(t), a); err == nil {
			t.Errorf("Append with %s: got no error", name)
		}
	}
	wantHead(t, log, 0)
}

func appendSettles(t testing.TB, open Open) {
	log := open(t)
	const n = 100
	for i := range n {
		a := command(fmt.Sprint(i), to(domain.StreamID(fmt.Sprintf("s:%d", i)), 0, 2))
		first, firstErr := appendAndCancel(guarded(t), log, a, i%10)
		if firstErr == nil && first.Repeated {
			t.Fatalf("Append: got Repeated for a first commit")
		}
		second, err := log.Append(guarded(t), a)
		if err != nil {
			t.Fatalf("Append again: %v", err)
		}
		if errors.Is(firstErr, eventstore.ErrNotAppended) && second.Repeated {
			t.Fatalf("Append: got ErrNotAppended for what was appended")
		}
		if len(first.Events) > 0 {
			wantEvents(t, "Append again", second.Events, first.Events)
		}
		wantEvents(t, "Append again", second.Events, a.At(domain.Position(2*i)))
	}
	wantHead(t, log, 2*n)
}
