package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnreadIsLimitedByCallerAndNetwork(t *testing.T) {
	const most = 16 << 20
	ada, bob := party{"ada", []string{"a"}}, party{"bob", []string{"a"}}
	eve, far := party{"eve", []string{"a"}}, party{"cy", []string{"b"}}
	for name, c := range map[string]struct {
		held map[string]int // by caller
		who  party
		want bool
	}{
		"nothing is unread":                 {nil, ada, true},
		"a little":                          {map[string]int{"ada": leastUnread - 1}, ada, true},
		"as much as a caller may have":      {map[string]int{"ada": most / 16}, ada, false},
		"of another caller":                 {map[string]int{"ada": most / 16}, bob, true},
		"a network has all that it may":     {map[string]int{"eve": most / 4, "bob": leastUnread}, bob, false},
		"but the caller has little":         {map[string]int{"eve": most / 4}, bob, true},
		"a network has twice what it may":   {map[string]int{"eve": most / 2}, bob, false},
		"a caller elsewhere":                {map[string]int{"eve": most / 2, "cy": leastUnread}, far, true},
		"all have all that they may":        {map[string]int{"eve": most, "cy": leastUnread}, far, false},
		"but a caller elsewhere has little": {map[string]int{"eve": most}, far, true},
		"all have twice what they may":      {map[string]int{"eve": 2 * most}, far, false},
		"what was read does not count":      {map[string]int{"eve": 0}, eve, true},
	} {
		u := newUnread(most)
		for _, who := range []party{ada, bob, eve, far} {
			u.add(who, c.held[who.caller])
		}
		if got := u.allows(c.who); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// Whatever keeps a party waiting, it goes on when that is read, whoever reads it: at once
// if it was its own caller.
func TestUnreadWaits(t *testing.T) {
	for name, c := range map[string]struct {
		blocker party
		within  time.Duration
	}{
		"the caller":  {party{"ada", []string{"a"}}, 0},
		"the network": {party{"bob", []string{"a"}}, unreadPoll},
		"all":         {party{"cy", []string{"b"}}, unreadPoll},
	} {
		synctest.Test(t, func(t *testing.T) {
			const much, waits = 16 << 20, 3
			u := newUnread(much)
			ada := party{"ada", []string{"a"}}
			u.add(ada, leastUnread)
			u.add(c.blocker, much)
			done := make(chan error, waits+1)
			canceled, cancel := context.WithCancel(t.Context())
			go func() { done <- u.wait(canceled, ada) }()
			synctest.Wait() // it is the first
			for range waits {
				go func() { done <- u.wait(t.Context(), ada) }()
			}
			synctest.Wait()
			if len(done) > 0 {
				t.Fatalf("%s: a wait ended at once", name)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want canceled", name, err)
			}
			begun := time.Now()
			u.add(c.blocker, -much)
			for range waits {
				if err := <-done; err != nil {
					t.Errorf("%s: got %v, want nil", name, err)
				}
			}
			if took := time.Since(begun); took > c.within {
				t.Errorf("%s: waited %s longer, want at most %s", name, took, c.within)
			}
			u.add(ada, -leastUnread)
			if u.all != 0 || len(u.callers) != 0 || len(u.networks) != 0 || u.waiting != 0 {
				t.Errorf("%s: %d bytes, callers %v, networks %v, %d waiting are left", name, u.all, u.callers, u.networks, u.waiting)
			}
		})
	}
}
