package app

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// TestReadinessKnowsTheLiveHub lets the hub fail while the views advance.
func TestReadinessKnowsTheLiveHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var views atomic.Int64
		views.Store(1)
		log := &viewsLog{views: &views, broken: &broken}
		a := &app{hub: subscription.New(subscription.Config{Log: log, Views: log, Queries: &query.Service{Views: log}})}
		go func() { _ = a.hub.Run(t.Context()) }()
		pass := func(d time.Duration) {
			for range int(d / time.Second) {
				a.lag.Observe(domain.Position(views.Load()), domain.Position(views.Load()), nil)
				time.Sleep(time.Second)
			}
		}
		want := func(when, reason string) {
			t.Helper()
			got := strings.Join(a.hubReasons(), "\n")
			if reason == "" && got != "" || !strings.Contains(got, reason) {
				t.Errorf("%s: got the reasons %q, want %q", when, got, reason)
			}
		}
		pass(20 * time.Second)
		want("while all is well", "")
		broken.Store(true)
		pass(time.Second)
		views.Add(5)
		pass(5 * time.Second)
		want("after five seconds", "")
		pass(20 * time.Second)
		want("after the lag bound", "the live hub is at position 1 and has been trying again for 2")
		want("after the lag bound", "a page is damaged")
		broken.Store(false)
		pass(10 * time.Second)
		want("once it is repaired", "")
		a.hub.Close()
		time.Sleep(time.Second) // for goroutines that sleep
	})
}

// viewsLog is a log that ends where its views are, unless it is broken. All its
// events have one stream, one time, and a type that cannot be decoded.
type viewsLog struct {
	eventstore.Log
	readmodel.Store
	views  *atomic.Int64
	broken *atomic.Bool
}

func (l *viewsLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for at := after; ctx.Err() == nil; {
			switch {
			case l.broken.Load():
				yield(nil, errors.New("a page is damaged"))
				return
			case int64(at) < l.views.Load():
				at++
				if !yield([]eventstore.Event{{Position: at, Type: "chirp.posted.v2"}}, nil) {
					return
				}
			default:
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

func (l *viewsLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	hashes := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		hashes[p] = eventstore.Event{}.Hash()
	}
	return hashes, nil
}

func (l *viewsLog) Await(context.Context, domain.Position) (domain.Position, error) {
	return domain.Position(l.views.Load()), nil
}

func TestTheProgressOfBuildingIsDescribed(t *testing.T) {
	building := func(position domain.Position, finishing bool) *projector.Building {
		p := projector.Progress{From: 100, Position: position, Head: 1100, Finishing: finishing}
		return &projector.Building{Progress: p, Since: time.Now().Add(-10 * time.Second)}
	}
	for want, b := range map[string]*projector.Building{
		"": nil,
		"; others are being built from the log, at position 100 of 1100":                           building(100, false),
		"; others are being built from the log, at position 600 of 1100, with 10s left":            building(600, false),
		"; others are being built from the log, and their timelines and indexes are being created": building(1100, true),
	} {
		if got := describeBuilding(b); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
