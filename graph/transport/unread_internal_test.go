package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestUnreadIsLimitedByCallerAndNetwork(t *testing.T) {
	ada, bob := party{"ada", []string{"a"}}, party{"bob", []string{"a"}}
	far := party{"cy", []string{"b"}}
	for name, c := range map[string]struct {
		held map[string]int // by caller, at network a
		who  party
		want bool
	}{
		"nothing is unread":                  {nil, ada, true},
		"a little":                           {map[string]int{"ada": leastUnread - 1}, ada, true},
		"as much as a caller may have":       {map[string]int{"ada": 1 << 20}, ada, false},
		"of another caller":                  {map[string]int{"ada": 1 << 20}, bob, true},
		"the network has all that it may":    {map[string]int{"eve": 4 << 20, "bob": leastUnread}, bob, false},
		"but a caller has little":            {map[string]int{"eve": 4 << 20}, bob, true},
		"a caller elsewhere":                 {map[string]int{"eve": 4 << 20, "cy": leastUnread}, far, true},
		"all callers have all that they may": {map[string]int{"eve": 16 << 20, "cy": leastUnread}, far, false},
	} {
		u := newUnread(16 << 20)
		for caller, n := range c.held {
			network := "a"
			if caller == "cy" {
				network = "b"
			}
			u.add(party{caller, []string{network}}, n)
		}
		if got := u.allows(c.who); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// Whatever keeps a party waiting, it goes on when that is read, whoever reads it.
func TestUnreadWaits(t *testing.T) {
	for name, blocker := range map[string]party{
		"the caller":  {"ada", []string{"a"}},
		"the network": {"bob", []string{"a"}},
		"all":         {"cy", []string{"b"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := newUnread(16 << 20)
			ada := party{"ada", []string{"a"}}
			u.add(ada, leastUnread)
			u.add(blocker, 16<<20)
			done := make(chan error, 2)
			go func() { done <- u.wait(t.Context(), ada, 5) }()
			canceled, cancel := context.WithCancel(t.Context())
			go func() { done <- u.wait(canceled, ada, 5) }()
			synctest.Wait()
			if len(done) > 0 {
				t.Fatalf("%s: a wait ended at once", name)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want canceled", name, err)
			}
			u.add(blocker, -16<<20)
			if err := <-done; err != nil {
				t.Errorf("%s: got %v, want nil", name, err)
			}
			u.add(ada, -leastUnread-5)
			if u.all != 0 || len(u.callers) != 0 || len(u.networks) != 0 || u.waiting != 0 {
				t.Errorf("%s: %d bytes, callers %v, networks %v, %d waiting are left", name, u.all, u.callers, u.networks, u.waiting)
			}
		})
	}
}
