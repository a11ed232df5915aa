package eventstoretest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chirp/internal/eventstore"
)

// Reopen opens the log with an instance name (at most 40 letters, digits and
// underscores), creating it the first time, and returns a function that closes it.
type Reopen func(t testing.TB, instance string) (eventstore.Log, func())

// RunDurable checks that a log stays the same when it is closed and opened again.
func RunDurable(t *testing.T, open func(t testing.TB, instance string) (eventstore.Log, func())) {
	for _, c := range DurableCases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// DurableCase is one part of what RunDurable checks.
type DurableCase struct {
	Name string
	Run  func(t testing.TB, open Reopen)
}

// DurableCases returns the parts of what RunDurable checks.
func DurableCases() []DurableCase {
	return []DurableCase{
		{"all events are there after reopening", reopens},
		{"two instances are two logs", instancesApart},
	}
}

// instance returns a new instance name.
func instance() string {
	return "log_" + strings.ReplaceAll(uuid.NewString(), "-", "")
}

func reopens(t testing.TB, open Reopen) {
	name := instance()
	log, closeLog := open(t, name)
	first, err := log.Head(guarded(t))
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	var want []eventstore.Event
	for round := range int64(4) {
		a := command(fmt.Sprint(round), to("s", 2*round, 2), to("t"+eventstoreID(int(round)), 0, 1))
		want = append(want, mustAppend(t, log, a).Events...)
		closeLog()
		log, closeLog = open(t, name)
		head, err := log.Head(guarded(t))
		if err != nil || head.Epoch != first.Epoch {
			t.Fatalf("Head: got epoch %q, error %v; want %q as before", head.Epoch, err, first.Epoch)
		}
		wantHead(t, log, want[len(want)-1].Position)
		wantEvents(t, "ReadAll", everything(t, log), want)
		again, err := log.Append(guarded(t), a)
		if err != nil || !again.Repeated {
			t.Fatalf("Append again: got Repeated %t, error %v; want the first commit", again.Repeated, err)
		}
		wantEvents(t, "repeat", again.Events, want[len(want)-3:])
		_, err = log.Append(guarded(t), command("stale", to("s", 0, 1)))
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) || conflict.Actual != 2*round+2 {
			t.Fatalf("Append at an old version: got error %v, want a conflict at version %d", err, 2*round+2)
		}
		got, err := follow(guarded(t), log, 0, want[len(want)-1].Position)
		if err != nil {
			t.Fatal(err)
		}
		wantEvents(t, "Follow", got, want)
	}
	closeLog()
}

func instancesApart(t testing.TB, open Reopen) {
	one, closeOne := open(t, instance())
	defer closeOne()
	two, closeTwo := open(t, instance())
	defer closeTwo()
	mustAppend(t, one, command("it", to("s", 0, 1)))
	wantHead(t, two, 0)
	mustAppend(t, two, command("it", to("s", 0, 2)))
	wantHead(t, one, 1)
}
