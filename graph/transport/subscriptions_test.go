package transport_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

const adaWatched = `subscription { profileUpdated(userId: %q) { username } }`

// refusedSubscription checks that a subscription gets the error RATE_LIMITED, and that the socket
// stays open.
func refusedSubscription(t *testing.T, c *graphtest.Socket, id, why string) {
	t.Helper()
	for {
		m := c.Read()
		if m.ID != id {
			continue
		}
		if text := string(m.Payload); m.Type != "error" || !strings.Contains(text, "RATE_LIMITED") || !strings.Contains(text, why) {
			t.Errorf("got %+v, want error RATE_LIMITED, %s", m, why)
		}
		break
	}
	c.Subscribe("q"+id, `{ __typename }`)
	for c.Read().ID != "q"+id {
	}
}

func TestSubscriptionsAreLimitedByUser(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SubscriptionsPerUser = 5 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	watch := fmt.Sprintf(adaWatched, ada.ID)
	first, second := w.Socket(t, ada.Token), w.Socket(t, ada.Token)
	for i := range 2 {
		first.Subscribe(fmt.Sprint(i), watch)
		second.Subscribe(fmt.Sprint(i), watch)
		first.Next(fmt.Sprint(i))
		second.Next(fmt.Sprint(i))
	}
	e := w.Events(t, ada.Token, watch)
	e.Next()
	second.Subscribe("x", watch)
	refusedSubscription(t, second, "x", "a user may have 5 running")
	got := w.Send(ada.Token, watch, nil, http.Header{"Accept": {"text/event-stream"}})
	if got.Status != http.StatusTooManyRequests || got.Code() != "RATE_LIMITED" {
		t.Errorf("a stream too many: got %d %s, want 429 RATE_LIMITED", got.Status, got.Body)
	}
	other := w.Socket(t, bob.Token)
	other.Subscribe("o", watch)
	other.Next("o")

	first.Send(graphtest.Message{ID: "0", Type: "complete"})
	n := 0
	w.Eventually("room for a subscription", func() bool {
		n++
		id := fmt.Sprint("again", n)
		first.Subscribe(id, watch)
		for {
			if m := first.Read(); m.ID == id {
				return m.Type == "next"
			}
		}
	})
}

func TestSubscriptionsAreLimitedByNetwork(t *testing.T) {
	w := graphtest.New(t, byHeader, func(c *api.Config) { c.Transport.SubscriptionsPerAddress = 2 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	watch := fmt.Sprintf(adaWatched, ada.ID)
	open := func(address, token string) *graphtest.Socket {
		c := w.Dial(t, from(address))
		c.Initiate(token)
		c.Subscribe("a", watch)
		return c
	}
	open("192.0.2.1", ada.Token).Next("a")
	open("192.0.2.1", bob.Token).Next("a")
	refusedSubscription(t, open("192.0.2.1", ""), "a", "a network may have 2 running")
	open("192.0.2.2", bob.Token).Next("a")
	for i := range 4 { // of one /56
		open(fmt.Sprintf("2001:db8:0:%x::1", i), "").Next("a")
	}
	refusedSubscription(t, open("2001:db8:0:5::1", ""), "a", "a network may have 4 running")
}

// TestSubscriptionsAreLimitedInAll fills the server from several addresses: what the next
// one gets says that it is the server that is full, and ends when one has completed.
func TestSubscriptionsAreLimitedInAll(t *testing.T) {
	w := graphtest.New(t, byHeader, func(c *api.Config) { c.Transport.Subscriptions = 3 })
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	watch := fmt.Sprintf(adaWatched, ada.ID)
	var first *graphtest.Socket
	for i := range 3 {
		first = w.Dial(t, from(fmt.Sprint("192.0.2.", i)))
		first.Initiate("")
		first.Subscribe("a", watch)
		first.Next("a")
	}
	other := w.Dial(t, from("192.0.2.9"))
	other.Initiate(ada.Token)
	other.Subscribe("a", watch)
	m := other.Read()
	for _, part := range []string{"UNAVAILABLE", "as many subscriptions as it may", `"retryAfter":10`} {
		if m.Type != "error" || !strings.Contains(string(m.Payload), part) {
			t.Errorf("got %+v, want an error with %s", m, part)
		}
	}
	got := w.Send(ada.Token, watch, nil, http.Header{"Accept": {"text/event-stream"}})
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "10" {
		t.Errorf("a stream too many: got %d %s, want 503 and when to try again", got.Status, got.Body)
	}
	first.Send(graphtest.Message{ID: "a", Type: "complete"})
	w.Eventually("room for a subscription", func() bool {
		other.Subscribe("b", watch)
		return other.Read().Type == "next"
	})
}

// A page of 30 tabs and an office of 200 users behind one address have room.
func TestOrdinaryUsersHaveRoomForTheirSubscriptions(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	watch := fmt.Sprintf(adaWatched, ada.ID)
	subscribe := func(token string, tabs, each int) {
		for range tabs {
			c := w.Socket(t, token)
			for i := range each {
				c.Subscribe(fmt.Sprint(i), watch)
			}
			for range each {
				if m := c.Read(); m.Type != "next" {
					t.Fatalf("got %+v, want an answer", m)
				}
			}
		}
	}
	subscribe(ada.Token, 30, 4)
	for i := range 200 {
		subscribe(w.Person(fmt.Sprint("user", i)).Token, 2, 2)
	}
	if got := w.Hub.Stats().Profiles; got != 120+800 {
		t.Errorf("%d subscriptions are running, want 920", got)
	}
}
