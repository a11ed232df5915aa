package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"chirp/internal/eventstore"
)

func commandCases() []Case {
	return []Case{
		{"a repeated command writes nothing and returns the first commit", repeats},
		{"a command id used for another command is refused", refusesReuse},
		{"command ids of two actors are independent", keysByActor},
		{"a command repeated at the same moment is written once", repeatsAtOnce},
		{"of commands racing for one id exactly one wins", reusesAtOnce},
		{"a command that failed is not remembered", forgetsFailures},
		{"committed finds what a command wrote", findsCommitted},
	}
}

func repeats(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "before", 3)
	a := command("it", to("s", 0, 2), to("r", 0, 1))
	first := mustAppend(t, log, a)
	for round := range int64(3) {
		again, err := log.Append(guarded(t), a)
		if err != nil {
			t.Fatalf("repeat %d: %v", round, err)
		}
		if !again.Repeated || again.Fingerprint != a.Command.Fingerprint {
			t.Errorf("repeat %d: got Repeated %t and fingerprint %q, want the first commit's", round, again.Repeated, again.Fingerprint)
		}
		wantEvents(t, "repeat", again.Events, first.Events)
		mustAppend(t, log, command(fmt.Sprintf("moves the version %d", round), to("s", 2+round, 1)))
	}
	changed := a
	changed.Events, changed.Expected = appended(to("s", 5, 1)) // decided again on the current streams
	again, err := log.Append(guarded(t), changed)
	if err != nil || !again.Repeated {
		t.Fatalf("repeat with other events: got Repeated %t, error %v", again.Repeated, err)
	}
	wantEvents(t, "repeat with other events", again.Events, first.Events)
	wantHead(t, log, 9)
}

func refusesReuse(t testing.TB, open Open) {
	log := open(t)
	mustAppend(t, log, command("it", to("s", 0, 1)))
	for name, streams := range map[string]write{
		"at the right version": to("other", 0, 1),
		"at another version":   to("s", 0, 1),
	} {
		a := command("it", streams)
		a.Command.Fingerprint = "of another command"
		if _, err := log.Append(guarded(t), a); !errors.Is(err, eventstore.ErrCommandReused) {
			t.Errorf("Append %s: got error %v, want ErrCommandReused", name, err)
		}
	}
	wantHead(t, log, 1)
}

func keysByActor(t testing.TB, open Open) {
	log := open(t)
	for i, key := range []eventstore.CommandKey{
		{Actor: "actor", ID: "id"}, {Actor: "other", ID: "id"}, {Actor: "act", ID: "orid"},
		{Actor: "actor", ID: "ID"}, {Actor: "Actor", ID: "id"}, {Actor: "actor", ID: "id "},
	} {
		a := command("", to("s", int64(i), 1))
		a.Command = eventstore.Command{CommandKey: key, Fingerprint: "the same"}
		mustAppend(t, log, a)
	}
	wantHead(t, log, 6)
}

// atOnce makes n calls at the same moment.
func atOnce(ctx context.Context, n int, call func(ctx context.Context, i int) error) error {
	var start sync.WaitGroup
	start.Add(n)
	g, ctx := errgroup.WithContext(ctx)
	for i := range n {
		g.Go(func() error {
			start.Done()
			start.Wait()
			return call(ctx, i)
		})
	}
	return g.Wait()
}

func repeatsAtOnce(t testing.TB, open Open) {
	log := open(t)
	const rounds, callers = 20, 8
	for round := range int64(rounds) {
		a := command(fmt.Sprint(round), to("s", round, 1))
		commits := make([]eventstore.Commit, callers)
		err := atOnce(guarded(t), callers, func(ctx context.Context, i int) (err error) {
			commits[i], err = log.Append(ctx, a)
			return err
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		first := 0
		for _, c := range commits {
			wantEvents(t, "commit", c.Events, commits[0].Events)
			if !c.Repeated {
				first++
			}
		}
		if first != 1 {
			t.Fatalf("round %d: got %d first commits, want 1", round, first)
		}
	}
	wantHead(t, log, rounds)
}

func reusesAtOnce(t testing.TB, open Open) {
	log := open(t)
	const rounds, callers = 20, 4
	for round := range rounds {
		reused := make([]bool, callers)
		err := atOnce(guarded(t), callers, func(ctx context.Context, i int) error {
			a := command(fmt.Sprint(round), to("s"+eventstoreID(round, i), 0, 1))
			a.Command.Fingerprint = fmt.Sprint(i)
			_, err := log.Append(ctx, a)
			if reused[i] = errors.Is(err, eventstore.ErrCommandReused); reused[i] {
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		refused := 0
		for _, r := range reused {
			if r {
				refused++
			}
		}
		if refused != callers-1 {
			t.Fatalf("round %d: got %d of %d refused, want all but one", round, refused, callers)
		}
	}
	wantHead(t, log, rounds)
}

func forgetsFailures(t testing.TB, open Open) {
	log := open(t)
	mustAppend(t, log, command("setup", to("s", 0, 1)))
	failed := command("it", to("new", 0, 1), to("s", 0, 1))
	for range 2 {
		if _, err := log.Append(guarded(t), failed); !errors.Is(err, eventstore.ErrConflict) {
			t.Fatalf("Append: got error %v, want ErrConflict", err)
		}
	}
	if _, found, err := log.Committed(guarded(t), failed.Command.CommandKey); found || err != nil {
		t.Errorf("Committed after a conflict: got %t, error %v; want none", found, err)
	}
	other := command("it", to("s", 1, 1))
	other.Command.Fingerprint = "of another command"
	mustAppend(t, log, other)
	wantHead(t, log, 2)
}

func findsCommitted(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "before", 2)
	a := command("it", to("s", 0, 2), to("r", 0, 1))
	key := a.Command.CommandKey
	if _, found, err := log.Committed(guarded(t), key); found || err != nil {
		t.Errorf("Committed before the append: got %t, error %v; want none", found, err)
	}
	want := mustAppend(t, log, a)
	fill(t, log, "after", 2)
	got, found, err := log.Committed(guarded(t), key)
	if err != nil || !found {
		t.Fatalf("Committed: got %t, error %v; want the commit", found, err)
	}
	wantEvents(t, "Committed", got.Events, want.Events)
	if got.Fingerprint != a.Command.Fingerprint || got.Position() != 5 {
		t.Errorf("Committed: got fingerprint %q and position %d, want %q and 5", got.Fingerprint, got.Position(), a.Command.Fingerprint)
	}
	for _, none := range []eventstore.CommandKey{{Actor: "other", ID: "it"}, {Actor: "actor", ID: "IT"}, {}} {
		if _, found, err := log.Committed(guarded(t), none); found || err != nil {
			t.Errorf("Committed %+v: got %t, error %v; want none", none, found, err)
		}
	}
}
