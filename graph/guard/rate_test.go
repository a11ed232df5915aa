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

func TestPasswordsAreLimitedByAddress(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) {
		c.Guard.RateLimit = 1 // a burst of 1 for passwords
		c.ClientIP = func(r *http.Request) string { return r.Header.Get("Test-Address") }
	})
	ada := w.Person("ada")
	accounts := 0 // another one each time, because each account has its own limit
	logIn := func(token, address string) string {
		accounts++
		return w.Send(token, logIns(fmt.Sprint("nobody", accounts), 1), nil, http.Header{"Test-Address": {address}}).Code()
	}
	for _, c := range []struct{ name, token, address, want string }{
		{"the first", "", "192.0.2.1", "UNAUTHENTICATED"},
		{"the second", "", "192.0.2.1", "RATE_LIMITED"},
		{"with a token", ada.Token, "192.0.2.1", "RATE_LIMITED"},
		{"from elsewhere", "", "192.0.2.2", "UNAUTHENTICATED"},
		{"an IPv6 network", "", "2001:db8::1", "UNAUTHENTICATED"},
		{"the same network", "", "2001:db8::2:1", "RATE_LIMITED"},
		{"another network", "", "2001:db8:0:1::1", "UNAUTHENTICATED"},
	} {
		if got := logIn(c.token, c.address); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	got := w.Send("", `mutation { registerUser(input: {username: "eve", password: "a password"}) { token } }`, nil, http.Header{"Test-Address": {"192.0.2.2"}})
	if got.Code() != "RATE_LIMITED" {
		t.Errorf("registering after a log-in: got code %q, want RATE_LIMITED", got.Code())
	}
}

func TestARateLimitOf0IsNoLimit(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for range 50 {
		w.Must(ada.Token, graphtest.PostOnce, nil)
	}
}

// logIns returns an operation that tries n passwords at an account.
func logIns(username string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: logIn(input: {username: %q, password: \"guess number %d\"}) { token } ", i, username, i)
	}
	return "mutation { " + b.String() + "}"
}

// codes counts the codes of an answer's errors.
func codes(a graphtest.Answer, into map[string]int) {
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		into[code]++
	}
}

func TestSixtyAliasesOfLogInAreSixtyAttempts(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) {
		c.Guard.RateLimit = 1.2 // by address a burst of 1 and 0.12 a second
		c.ClientIP = func(r *http.Request) string { return r.Header.Get("Test-Address") }
	})
	w.Person("ada")
	got := map[string]int{}
	for range 6 { // ten at a time, which is the limit per operation
		codes(w.Send("", logIns("ada", 10), nil, http.Header{"Test-Address": {"192.0.2.1"}}), got)
	}
	if got["UNAUTHENTICATED"] > 5 || got["UNAUTHENTICATED"] < 1 || got["UNAUTHENTICATED"]+got["RATE_LIMITED"] < 15 || len(got) != 2 {
		t.Errorf("got %v, want next to all of them RATE_LIMITED", got)
	}
}

func TestPasswordsAreLimitedByAccount(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) {
		c.Guard.RateLimit = 2.5 // by account a burst of 5
		c.ClientIP = func(r *http.Request) string { return r.Header.Get("Test-Address") }
	})
	w.Person("adelaide")
	for network, account := range map[string]string{"198.51.100.": "adelaide", "198.18.0.": "nobodyis"} {
		got := map[string]int{}
		for i := range 60 {
			spelt := []byte(account)
			for letter := range spelt { // in different cases each time
				spelt[letter] -= byte(i>>letter&1) * ('a' - 'A')
			}
			codes(w.Send("", logIns(string(spelt), 1), nil, http.Header{"Test-Address": {fmt.Sprint(network, i)}}), got)
		}
		if got["UNAUTHENTICATED"] < 5 || got["UNAUTHENTICATED"] > 20 || got["UNAUTHENTICATED"]+got["RATE_LIMITED"] != 60 {
			t.Errorf("60 addresses at %s: got %v, want little more than 5 tried", account, got)
		}
	}
	// One address alone cannot use up the rate of the account.
	for range 10 {
		w.Send("", logIns("carol", 10), nil, http.Header{"Test-Address": {"203.0.113.1"}})
	}
	if got := w.Send("", logIns("carol", 1), nil, http.Header{"Test-Address": {"203.0.113.2"}}); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("from another address: got %s, want it tried", got.Body)
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
