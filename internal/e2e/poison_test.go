package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/verify"
)

// newerType is the type of an event that a later version of the program writes.
const newerType = "chirp.posted.v2"

// poison appends an event that this program cannot read, as a later version that
// shares the store would.
func poison(t testing.TB, store app.Storage, author, text string) eventstore.Event {
	t.Helper()
	id := domain.ChirpIDFrom(uuid.Must(uuid.NewV7()))
	data, err := json.Marshal(map[string]string{"chirpId": string(id), "authorId": author, "content": text, "language": "en"})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := store.Log().Append(t.Context(), eventstore.Append{
		Events:  []eventstore.NewEvent{{Stream: domain.ChirpStream(id), Type: newerType, Data: data}},
		Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: author, ID: string(id)}, Fingerprint: "newer"}, RecordedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return commit.Events[0]
}

// upgraded is a store as a newer program sees it, one that can read the newer type.
type upgraded struct{ app.Storage }

func (s upgraded) Log() eventstore.Log { return upgradedLog{s.Storage.Log()} }

type upgradedLog struct{ eventstore.Log }

// readable returns the events with the newer type replaced by one that this program
// can read.
func readable(events []eventstore.Event) []eventstore.Event {
	events = slices.Clone(events)
	for i := range events {
		if events[i].Type == newerType {
			events[i].Type = domain.ChirpPosted{}.WireName()
		}
	}
	return events
}

func (l upgradedLog) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.ReadAll(ctx, after, limit)
	return readable(events), err
}

func (l upgradedLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for events, err := range l.Log.Follow(ctx, after) {
			if !yield(readable(events), err) {
				return
			}
		}
	}
}

func TestUnreadableEventHaltsTheViewsAndNothingElse(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		ann, bob := users[0].At(s.URL), users[1].At(s.URL)
		apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
		ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "before", ""))(t).Position
		apitest.Must(ann.Page(t.Context(), 1, ""))(t)

		at := poison(t, p.OpenToWrite(t, false), users[1].ID, "newer").Position
		last := apitest.Must(bob.Post(t.Context(), "after", ""))(t)
		reason := fmt.Sprintf("the projector halted: project event %d (%s): unknown event type %q", at, newerType, newerType)
		apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, reason)
		wantHalted(t, s, p, at)

		apitest.RegisterAll(t, s.URL, "Cid") // commands and queries still work
		if got := apitest.Contents(apitest.Must(ann.Feed(t.Context(), 10))(t)); !slices.Equal(got, []string{"before"}) {
			t.Errorf("feed while halted: got %q, want only what was before", got)
		}
		ann.ReadAfter = last.Position
		if _, err := ann.Page(t.Context(), 1, ""); apitest.Code(err) != "NOT_YET_VISIBLE" {
			t.Errorf("feed after a position beyond the halt: got %v, want NOT_YET_VISIBLE", err)
		}
		s.Terminate(t)

		ann.URL = serveMended(t, p)
		apitest.Ready(t, ann.URL)
		if got, want := apitest.Contents(apitest.Must(ann.Feed(t.Context(), 10))(t)), []string{"after", "newer", "before"}; !slices.Equal(got, want) {
			t.Errorf("feed once the event can be read: got %q, want %q", got, want)
		}
	})
}

// wantHalted checks that the metrics, the server's log and chirp verify name
// the event.
func wantHalted(t *testing.T, s *apitest.Process, p apitest.Place, at domain.Position) {
	t.Helper()
	_, metrics, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
	for _, want := range []string{fmt.Sprintf("\nchirp_projector_halted_position %d\n", at), "\nchirp_projector_phase{phase=\"halted\"} 1\n"} {
		if err != nil || !strings.Contains(metrics, want) {
			t.Errorf("/metrics: want the line %q, error %v", want, err)
		}
	}
	line := fmt.Sprintf("before this event\" position=%d type=%s error=\"unknown event type", at, newerType)
	if log := s.Log.String(); !strings.Contains(log, line) {
		t.Errorf("the server's log lacks %q", line)
	}
	e := p.Command(t, "verify")
	want := fmt.Sprintf("event %d (%s) of the log: want an event that this program can read, got the error ", at, newerType)
	if e.Code != 1 || !strings.Contains(e.Log, "differences: 1;") || !strings.HasPrefix(e.Out, want) {
		t.Errorf("chirp verify: got exit code %d, %s and\n%s\nwant one difference, %q", e.Code, e.Log, e.Out, want)
	}
}

// serveMended serves a place as a program does that can read the newer type, and
// verifies its views in the end.
func serveMended(t *testing.T, p apitest.Place) (url string) {
	t.Helper()
	var store app.Storage
	s := apitest.ServeApp(t, func(ctx context.Context) (app.Storage, error) {
		opened, err := p.OpenToServe(ctx)
		store = upgraded{opened}
		return store, err
	}, nil)
	apitest.Ready(t, s.URL)
	t.Cleanup(func() {
		sum, err := verify.Run(context.WithoutCancel(t.Context()), verify.Config{Log: store.Log(), Views: store.Views(), Report: func(d verify.Difference) { t.Error(d) }})
		if err != nil || sum.Head == 0 || sum.Generation.Checkpoint.Position != sum.Head {
			t.Errorf("verify: got %+v, error %v; want the views at the log's end", sum, err)
		}
	})
	return s.URL
}
