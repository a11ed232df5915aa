package verify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/verify"
)

// brokenLog is a log whose events a test has changed.
type brokenLog struct {
	eventstore.Log // for Head only
	events         []eventstore.Event
	fails          domain.Position // a read of the event there fails with err
	err            error
}

func (l brokenLog) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	var page []eventstore.Event
	for _, e := range l.events {
		if e.Position > after && len(page) < limit {
			page = append(page, e)
		}
	}
	if l.fails != 0 && slices.ContainsFunc(page, func(e eventstore.Event) bool { return e.Position == l.fails }) {
		return nil, l.err
	}
	return page, nil
}

// logFaults are changes to the log of the small history. want is what the report must
// contain.
var logFaults = []struct {
	name   string
	change func(*brokenLog)
	want   []string
}{
	{"none", func(*brokenLog) {}, nil},
	{"events missing", func(l *brokenLog) { l.events = slices.Delete(l.events, 13, 15) },
		[]string{"events 14 to 15 of the log: want no gap, got the event at position 16 next"}},
	{"the end missing", func(l *brokenLog) { l.events = l.events[:16] },
		[]string{"events 17 to 24 of the log: want no gap, got the end of the log"}},
	{"another order", func(l *brokenLog) { l.events[15], l.events[16] = l.events[16], l.events[15] },
		[]string{"event 16 of the log: want no gap, got the event at position 17 next", "event 16 (chirp.posted.v1) of the log: want a position beyond 17, got 16"}},
	{"an event that a store cannot read", func(l *brokenLog) { l.fails, l.err = 14, errors.New("broken page") },
		[]string{`event 14 of the log: want no gap, got the error "broken page"`}},
	{"a version", func(l *brokenLog) { l.events[16].Version = 3 },
		[]string{"event 17 (user.unfollowed.v1) of the log: want version 2 of stream follow:user_"}},
	{"a command key used twice", func(l *brokenLog) { l.events[17].CommandID = l.events[12].CommandID },
		[]string{"event 18 (chirp.posted.v1) of the log: want a command key that was not used before, got actor"}},
	{"an unknown type", func(l *brokenLog) { l.events[17].Type = "chirp.posted.v9" },
		[]string{"event 18 (chirp.posted.v9) of the log: want an event that this program can read, got the error"}},
	{"data that is not valid", func(l *brokenLog) { l.events[17].Data = []byte(`{"chirpId":7}`) },
		[]string{`event 18 (chirp.posted.v1) of the log: want an event that this program can read, got the error "decode chirp.posted.v1`}},
	{"another stream", func(l *brokenLog) { l.events[17].Stream = "chirp:x" },
		[]string{"event 18 (chirp.posted.v1) of the log: want stream chirp:chirp_"}},
	{"a name taken twice", func(l *brokenLog) { replace(&l.events[5], "cid", "ANN") },
		[]string{"want stream username:ann, got version 1 of stream username:cid", `the name "ANN"`, "reservation of the name of @cid (user 5): want user_"}},
	{"a name registered twice", func(l *brokenLog) { replace(&l.events[4], "cid", "ANN") },
		[]string{`event 5 (user.registered.v1) of the log: want an event that fits those before it, got the name "ANN" for user_`, "reservation of the name of @ANN (user 5)"}},
	{"a reservation for no user", func(l *brokenLog) { replace(&l.events[7], "user_", "user_x") },
		[]string{"reservation of the name of @dan (user 7): want user_", `reservation of the name "dan" of the log: want a registration of user_x`}},
	{"an identity reserved twice", func(l *brokenLog) { replace(&l.events[23], `"subject":"2"`, `"subject":"1"`) },
		[]string{"event 24 (identity.reserved.v1) of the log: want stream identity:", "got an identity for user_", "though it is that of user_"}},
	{"an identity for no user", func(l *brokenLog) { replace(&l.events[23], "user_", "user_x") },
		[]string{"reservation in stream identity:", "want a registration of user_x"}},
	{"a second version of an identity", func(l *brokenLog) { l.events[23].Version = 2 },
		[]string{"event 24 (identity.reserved.v1) of the log: want version 1 of stream identity:"}},
	{"a second follow", func(l *brokenLog) { l.events[16].Type = "user.followed.v1" },
		[]string{"got a follow of @ann (user 1) by @dan (user 7), who has followed them since position 12"}},
	{"an unfollow without a follow", func(l *brokenLog) { l.events[14].Type = "user.unfollowed.v1" },
		[]string{"got an unfollow of @bob (user 3) by @cid (user 5), who does not follow them"}},
	{"a chirp by no user", func(l *brokenLog) { replace(&l.events[17], "user_", "user_x") },
		[]string{"got a chirp by user_x"}},
	{"an event of another user", func(l *brokenLog) { l.events[17].Actor = l.events[13].Actor },
		[]string{`event 18 (chirp.posted.v1) of the log: want an event that a command appends, got its actor is "user_`}},
	{"a long chirp", func(l *brokenLog) { replace(&l.events[17], "five", strings.Repeat("x", 281)) },
		[]string{"event 18 (chirp.posted.v1) of the log: want an event that a command appends, got content has 281 code points"}},
	{"an impossible name", func(l *brokenLog) { replace(&l.events[6], "dan", "d n"); replace(&l.events[7], "dan", "d n") },
		[]string{`event 7 (user.registered.v1) of the log: want an event that a command appends, got username "d n" must be`}},
	{"a registration twice", func(l *brokenLog) { l.events[6].Data = l.events[4].Data },
		[]string{"event 7 (user.registered.v1) of the log: want stream user:user_", "got a second registration of user_"}},
}

func TestFaultsOfTheLogAreReported(t *testing.T) {
	s, _ := kinds[0].open(t)
	w := newWriter(s.Log())
	w.small(t)
	w.identify(t, "eve", "1") // 19 to 21
	w.identify(t, "fay", "2") // 22 to 24
	events, err := s.Log().ReadAll(t.Context(), 0, 100)
	if err != nil || len(events) != 24 {
		t.Fatalf("ReadAll: got %d events, error %v; want 24", len(events), err)
	}
	head, err := s.Log().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	views := readmodeltest.NewMemory() // at position 0, so that only the log can have differences
	if _, err := views.Serving(t.Context(), head.Epoch, threshold); err != nil {
		t.Fatal(err)
	}
	for _, c := range logFaults {
		t.Run(c.name, func(t *testing.T) {
			l := brokenLog{Log: s.Log(), events: slices.Clone(events)}
			c.change(&l)
			_, lines := found(t, verify.Config{Log: l, Views: views})
			all := strings.Join(lines, "\n")
			if refusals := strings.Count(all, "an event that a command appends"); refusals > 1 {
				t.Errorf("got the differences\n%s\nwant one fault reported once", all)
			}
			if len(c.want) == 0 && len(lines) > 0 {
				t.Errorf("got the differences\n%s\nwant none", all)
			}
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("got the differences\n%s\nwant %q among them", all, want)
				}
			}
		})
	}
}

// replace replaces a text in an event's data.
func replace(e *eventstore.Event, old, other string) {
	e.Data = []byte(strings.ReplaceAll(string(e.Data), old, other))
}

func TestAnOutageIsAnErrorAndNotADifference(t *testing.T) {
	s, _ := kinds[0].open(t)
	newWriter(s.Log()).small(t)
	project(t, s.Log(), s.Views())
	events, err := s.Log().ReadAll(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	down := domain.Errorf(domain.Unavailable, "planned outage")
	l := brokenLog{Log: s.Log(), events: events, fails: 3, err: down}
	sum, err := verify.Run(t.Context(), verify.Config{Log: l, Views: s.Views()})
	if !errors.Is(err, down) || sum.Differences != 0 {
		t.Errorf("got error %v and %d differences, want the outage and none", err, sum.Differences)
	}
}
