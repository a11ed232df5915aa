package projector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// running is a projector whose Run was started.
type running struct {
	*projector.Projector
	cancel context.CancelFunc
	ended  chan error
}

// start runs a projector until the test ends or calls stop.
func start(t testing.TB, cfg projector.Config) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{projector.New(cfg), cancel, make(chan error, 1)}
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
}

// eventually waits until holds returns true.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func checkpoint(t testing.TB, stores storePair) readmodel.Checkpoint {
	t.Helper()
	snapshot, err := stores.views.Snapshot(context.Background())
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	defer snapshot.Close()
	at := snapshot.Generation().Checkpoint
	at.Event = 0
	return at
}

// small returns a world whose users have posted and followed a little.
func small(t testing.TB, stores storePair) *world {
	w := newWorld(t, stores.log)
	w.register(4)
	w.post(1, 2)
	crowd(w, 1, 2, 4)
	w.follow(0, 1)
	w.post(1, 1)
	w.write()
	return w
}

func TestProjectorFollowsTheLogLive(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	var mu sync.Mutex
	var committed []domain.Position
	p := start(t, projector.Config{
		Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", LeaseTTL: 40 * time.Millisecond,
		Committed: func(at domain.Position) {
			mu.Lock()
			defer mu.Unlock()
			committed = append(committed, at)
		},
	})
	w := newWorld(t, stores.log)
	for range 20 {
		w.register(1)
		w.write()
		if _, err := stores.views.Await(context.Background(), w.head()-1); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the state shows the head", func() bool {
		s := p.State()
		return s.Phase == projector.Active && s.Position == w.head() && s.Head == w.head() && s.Lag() == 0
	})
	p.stop(t)
	if got := p.State().Phase; got != projector.Standby {
		t.Errorf("after the end the phase is %s, want standby", got)
	}
	for i, at := range committed {
		if i > 0 && at <= committed[i-1] {
			t.Errorf("Committed was called with position %d after %d", at, committed[i-1])
		}
	}
	if last := committed[len(committed)-1]; last != w.head() {
		t.Errorf("Committed was last called with %d, want %d", last, w.head())
	}
}

func TestProjectorIsActiveOnlyWithTheLease(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	lease := func(holder string) bool {
		held, err := stores.views.Lease(context.Background(), holder, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	if !lease("other") {
		t.Fatal("the lease was not free")
	}
	w := small(t, stores)
	cfg := projector.Config{Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", LeaseTTL: 20 * time.Millisecond, RetryDelay: time.Millisecond}
	p := start(t, cfg)
	eventually(t, "the standby knows the head", func() bool { return p.State().Head == w.head() })
	if s := p.State(); s.Phase != projector.Standby || s.Position != 0 || s.Lag() != int64(w.head()) {
		t.Errorf("without the lease the state is %+v", s)
	}

	stores.views.Release(context.Background(), "other")
	eventually(t, "it gets the free lease and catches up", func() bool { return p.State().Position == w.head() })
	if lease("other") {
		t.Error("another holder got the lease of an active projector")
	}

	stores.views.Release(context.Background(), "a")
	eventually(t, "another holder gets the lease", func() bool { return lease("other") })
	eventually(t, "it is on standby", func() bool { return p.State().Phase == projector.Standby })

	stores.views.Release(context.Background(), "other")
	eventually(t, "it is active again", func() bool { return p.State().Phase == projector.Active })
	cfg.Holder = "b"
	b := start(t, cfg)
	p.stop(t)
	eventually(t, "the standby takes over", func() bool { return b.State().Phase == projector.Active })
	b.stop(t)
	if !lease("other") {
		t.Error("the lease was not released at the end")
	}
}

func TestProjectorHaltsBeforeWhatItCannotApply(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, c := range []struct {
		name   string
		change func(*eventstore.Event)
		want   string // in the error
	}{
		{"an unknown event type", func(e *eventstore.Event) { e.Type = "chirp.liked.v1" }, `unknown event type "chirp.liked.v1"`},
		{"an event that cannot be decoded", func(e *eventstore.Event) { e.Data = []byte(`{"authorId": 7}`) }, "decode chirp.posted.v1"},
		{"a chirp by an unknown author", func(e *eventstore.Event) {
			e.Data = []byte(`{"chirpId": "chirp_x", "authorId": "user_x", "content": "hello"}`)
		}, "author user_x is not registered"},
		{"an unfollow without a follow", func(e *eventstore.Event) {
			// Only the store can detect it: no other event of the batch is about the two.
			e.Type, e.Data = "user.unfollowed.v1", []byte(`{"followerId": "`+string(stranger)+`", "followeeId": "`+string(stranger2)+`"}`)
		}, "no follow"},
	} {
		t.Run(c.name, func(t *testing.T) { halts(t, c.change, c.want) })
	}
}

// Two users of every world in halts.
const (
	stranger  domain.UserID = "user_00000000000000000000000001"
	stranger2 domain.UserID = "user_00000000000000000000000002"
)

func halts(t *testing.T, change func(*eventstore.Event), want string) {
	stores := memory.open(t)
	w := small(t, stores)
	for _, id := range []domain.UserID{stranger, stranger2} {
		w.add(domain.UserRegistered{UserID: id, Username: domain.Username(id[len(id)-8:])})
	}
	w.post(0, 3)
	w.write()
	bad := w.head() - 1
	stores.log.(*eventstoretest.Memory).Tamper(bad, change)

	var log bytes.Buffer
	p := start(t, projector.Config{
		Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", LeaseTTL: 20 * time.Millisecond, RetryDelay: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	eventually(t, "it halts", func() bool { return p.State().Phase == projector.Halted })
	s := p.State()
	if s.Position != bad-1 || s.Failure == nil || s.Failure.Position != bad || s.Failure.Type == "" || !strings.Contains(s.Failure.Error(), want) {
		t.Errorf("state is %+v, want a failure at %d with %q", s, bad, want)
	}
	if got := checkpoint(t, stores); got != at(bad-1) {
		t.Errorf("checkpoint is %+v, want %d", got, bad-1)
	}
	held, err := stores.views.Lease(context.Background(), "newer program", time.Second)
	if err != nil || !held {
		t.Errorf("a halted projector keeps the lease: %t, %v", held, err)
	}
	w.post(0, 1)
	w.write()
	eventually(t, "the lag grows", func() bool { return p.State().Lag() == 3 })
	p.stop(t)
	if !strings.Contains(log.String(), "halted") || !strings.Contains(log.String(), "position="+bad.String()) {
		t.Errorf("the log does not name the event:\n%s", log.String())
	}
}

func TestProjectorRetriesThroughFailures(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	plan := make(map[int]fault)
	for call := range 30 {
		plan[call] = unavailable // more often than an event is tried before a halt
	}
	for _, call := range []int{32, 33, 40} {
		plan[call] = unknown
	}
	plan[36], plan[38] = fenced, committed
	stores := memory.open(t)
	w := small(t, stores)
	err := projectTo(projector.Config{
		Log: stores.log, Views: newFaultyViews(stores.views, plan), Threshold: 3, Holder: "a",
		MaxEvents: 2, RetryDelay: 10 * time.Microsecond,
	}, w.head(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(context.Background(), stores.views, w.oracle, rules(3), whole); err != nil {
		t.Error(err)
	}
}

func TestProjectorRefusesViewsOfAnotherLog(t *testing.T) {
	shorter, other := memory.open(t), memory.open(t)
	newWorld(t, shorter.log).register(1)
	small(t, other)
	other.log.(*eventstoretest.Memory).SetEpoch("epoch-2")
	undone := memory.open(t)
	small(t, undone).log.(*eventstoretest.Memory).Tamper(small(t, memory.open(t)).head(), func(e *eventstore.Event) { e.RecordedAt = e.RecordedAt.Add(time.Hour) })
	for name, log := range map[string]eventstore.Log{"another epoch": other.log, "a shorter log": shorter.log, "another history": undone.log} {
		t.Run(name, func(t *testing.T) {
			stores := memory.open(t)
			w := small(t, stores)
			project(t, stores, w, projector.Config{Threshold: 3})
			before := checkpoint(t, stores)
			p := start(t, projector.Config{Log: log, Views: stores.views, Threshold: 3, Holder: "a", RetryDelay: time.Millisecond})
			eventually(t, "it reports that, and retries", func() bool {
				outage := p.State().Outage
				return outage != nil && outage.Tries > 3 && errors.Is(outage.Err, projector.ErrOtherLog)
			})
			p.stop(t)
			if after := checkpoint(t, stores); after != before {
				t.Errorf("checkpoint: got %v, want %v as before", after, before)
			}
			if held, _ := stores.views.Lease(context.Background(), "b", time.Second); !held {
				t.Error("it did not release the lease")
			}
		})
	}
}
