package audit_test

import (
	"context"
	"strings"
	"testing"

	"chirp/internal/archive"
	"chirp/internal/audit"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector/projectortest"
)

// FuzzArchive audits the logs of arbitrary archives. A log that it accepts can be
// projected.
func FuzzArchive(f *testing.F) {
	for _, change := range []func(*log){func(*log) {}, func(l *log) { l.post("☃") }, func(l *log) { l.register("dan", 7, "dan") }} {
		l := small(f)
		change(l)
		f.Add(archived(f, l.events))
	}
	f.Fuzz(func(t *testing.T, file string) {
		r, err := archive.NewReader(strings.NewReader(file))
		if err != nil {
			return
		}
		a := audit.New()
		var events []eventstore.Event
		for batch, err := range r.Events() {
			if err != nil {
				return
			}
			for _, e := range batch {
				if _, refusal := a.Next(e); refusal != nil {
					return
				}
			}
			events = append(events, batch...)
		}
		if !a.Complete() {
			t.Error("Complete: got false after a whole log")
		}
		if _, err := projectortest.Read(events); err != nil {
			t.Errorf("a log that the audit accepts cannot be projected: %v", err)
		}
	})
}

// written is a log that does not change.
type written struct {
	eventstore.Log
	events []eventstore.Event
}

func (w written) Head(context.Context) (eventstore.Head, error) {
	return eventstore.Head{Epoch: "epoch", Position: domain.Position(len(w.events))}, nil
}

func (w written) ReadAll(_ context.Context, after domain.Position, _ int) ([]eventstore.Event, error) {
	return w.events[after:], nil
}

// archived returns the archive of a log.
func archived(t testing.TB, events []eventstore.Event) string {
	t.Helper()
	var file strings.Builder
	if _, err := archive.Write(t.Context(), &file, archive.Source{Log: written{events: events}}); err != nil {
		t.Fatal(err)
	}
	return file.String()
}
