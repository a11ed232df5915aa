package guard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestMutationsAreLimitedByCaller(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 0.4 }) // a burst of 2
	ada, bob := w.Person("ada"), w.Person("bob")
	for range 2 {
		w.Must(ada.Token, graphtest.PostOnce, nil)
	}
	got := w.Ask(ada.Token, graphtest.PostOnce, nil)
	if got.Code() != "RATE_LIMITED" || got.Errors[0].Message != "too many calls; try again in 3 seconds" {
		t.Errorf("the third: got %s, want RATE_LIMITED and when to try again", got.Body)
	}
	if after := got.Errors[0].Extensions["retryAfter"]; after != 3.0 || got.Header.Get("Retry-After") != "3" {
		t.Errorf("the third: got retryAfter %v and header %q, want 3 s in both", after, got.Header.Get("Retry-After"))
	}
	w.Must(bob.Token, graphtest.PostOnce, nil)
	w.Must(ada.Token, `{ viewer { id } }`, nil)
}

func TestEachMutationOfAnOperationCounts(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 0.4 })
	got := w.Ask(w.Person("ada").Token, `mutation { a: postChirp(input: {content: "a"}) { position } b: postChirp(input: {content: "b"}) { position } c: postChirp(input: {content: "c"}) { position } }`, nil)
	if got.Code() != "RATE_LIMITED" || fmt.Sprint(got.Errors[0].Path) != "[c]" {
		t.Errorf("got %s, want RATE_LIMITED at c", got.Body)
	}
}

func TestRefusedFollowsAreNoChanges(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 20 }) // ten changes at once
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	follow := fmt.Sprintf(`mutation { followUser(input: {userId: %q}) { position } }`, bob.ID)
	for i := range 15 {
		if got := w.Ask(ada.Token, follow, nil); got.Code() != "ALREADY_FOLLOWING" {
			t.Fatalf("follow %d: got %s, want ALREADY_FOLLOWING", i, got.Body)
		}
	}
}

func TestRegistrationsAreLimitedByAddress(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) {
		c.Guard.RateLimit = 1 // a burst of 1 for registrations
		c.ClientIP = testAddress
	})
	ada := w.Person("ada")
	users := 0
	for _, c := range []struct{ name, token, address, want string }{
		{"the first", "", "192.0.2.1", ""},
		{"the second", "", "192.0.2.1", "RATE_LIMITED"},
		{"with a token", ada.Token, "192.0.2.1", "RATE_LIMITED"},
		{"from elsewhere", "", "192.0.2.2", ""},
		{"an IPv6 network", "", "2001:db8::1", ""},
		{"the same network", "", "2001:db8::2:1", "RATE_LIMITED"},
		{"another network", "", "2001:db8:0:1::1", ""},
	} {
		users++
		register := fmt.Sprintf(`mutation { registerUser(input: {username: "user%d", password: "a password"}) { token } }`, users)
		if got := w.Send(c.token, register, nil, http.Header{"Test-Address": {c.address}}).Code(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func testAddress(r *http.Request) string { return r.Header.Get("Test-Address") }

func TestARateLimitOf0IsNoLimit(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for range 50 {
		w.Must(ada.Token, graphtest.PostOnce, nil)
	}
}

func TestOperationsAreChargedByTheirCost(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 0.8 }) // 2,000 at once, 400 a second
	ada, bob := w.Person("ada"), w.Person("bob")
	const dear = `{ feed(first: 100) { edges { node { author { id username } content } } } }` // about 500
	const cheap = `{ viewer { id } }`
	ask := func(token, operation string) graphtest.Answer {
		return w.Send(token, operation, nil, http.Header{"Accept": {"application/graphql-response+json"}})
	}
	w.Must(ada.Token, dear, nil)
	var got graphtest.Answer
	for range 50 {
		if got = ask(ada.Token, dear); got.Code() != "" {
			break
		}
	}
	wait, _ := got.Errors[0].Extensions["retryAfter"].(float64)
	if got.Code() != "RATE_LIMITED" || got.Status != http.StatusTooManyRequests || strings.Contains(got.Body, `"data"`) {
		t.Fatalf("got %d %s, want 429 and RATE_LIMITED without data", got.Status, got.Body)
	}
	if header := got.Header.Get("Retry-After"); wait < 1 || wait > 5 || header != fmt.Sprint(wait) {
		t.Errorf("got retryAfter %v and header %q, want the same few seconds", wait, header)
	}
	if got := ask(bob.Token, dear); got.Code() != "" {
		t.Errorf("another caller: got %s, want the feed", got.Body)
	}
	for range 20 {
		if got := ask(bob.Token, cheap); got.Code() != "" {
			t.Fatalf("what costs little: got %s, want it served", got.Body)
		}
	}
}

// TestATestSuiteMayRegisterItsUsers registers as many users as an end-to-end suite
// does, at the default rate, from one address.
func TestATestSuiteMayRegisterItsUsers(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 20 })
	for i := range 25 {
		w.Must("", fmt.Sprintf(`mutation { registerUser(input: {username: "user%d", password: "a password"}) { token } }`, i), nil)
	}
}
