package guard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

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

// guesser tries n wrong passwords at an account from an address, and counts the
// codes.
type guesser func(token, address, username string, n int) map[string]int

// guessing runs a test in a bubble, where time stands still while passwords are
// hashed.
func guessing(t *testing.T, test func(t *testing.T, w *graphtest.World, guess guesser)) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		test(t, w, func(token, address, username string, n int) map[string]int {
			got := map[string]int{}
			for ; n > 0; n -= 10 { // at a time, which is the limit per operation
				codes(w.Send(token, logIns(username, min(n, 10)), nil, http.Header{"Test-Address": {address}}), got)
			}
			return got
		})
	}, func(c *api.Config) {
		c.Guard.RateLimit = 1000 // so that nothing else limits
		c.ClientIP = testAddress
	})
}

func TestSixtyAliasesOfLogInAreSixtyAttempts(t *testing.T) {
	guessing(t, func(t *testing.T, w *graphtest.World, guess guesser) {
		w.Person("ada")
		if got := guess("", "192.0.2.1", "ada", 60); got["UNAUTHENTICATED"] != 6 || got["RATE_LIMITED"] != 54 {
			t.Errorf("got %v, want all but 6 RATE_LIMITED", got)
		}
	})
}

func TestPasswordsAreLimitedByAddress(t *testing.T) {
	guessing(t, func(t *testing.T, w *graphtest.World, guess guesser) {
		ada := w.Person("ada")
		guess("", "192.0.2.1", "bob", 6)
		guess("", "2001:db8::1", "bob", 6)
		for _, c := range []struct{ name, token, address, want string }{
			{"the same address", "", "192.0.2.1", "RATE_LIMITED"},
			{"with a token", ada.Token, "192.0.2.1", "RATE_LIMITED"},
			{"from elsewhere", "", "192.0.2.2", "UNAUTHENTICATED"},
			{"the same IPv6 network", "", "2001:db8::2:1", "RATE_LIMITED"},
			{"another network", "", "2001:db8:0:1::1", "UNAUTHENTICATED"},
		} {
			if got := guess(c.token, c.address, "bob", 1); got[c.want] != 1 {
				t.Errorf("%s: got %v, want %s", c.name, got, c.want)
			}
		}
		if got := guess("", "192.0.2.1", "carol", 1); got["UNAUTHENTICATED"] != 1 {
			t.Errorf("another account: got %v, want it tried", got)
		}
		time.Sleep(2 * time.Second)
		for _, want := range []string{"UNAUTHENTICATED", "RATE_LIMITED"} {
			if got := guess("", "192.0.2.1", "bob", 1); got[want] != 1 {
				t.Errorf("2 s later: got %v, want %s", got, want)
			}
		}
	})
}

// TestPasswordsAreLimitedByAccount guesses from 40 addresses, at an account and at a
// name that no account has.
func TestPasswordsAreLimitedByAccount(t *testing.T) {
	guessing(t, func(t *testing.T, w *graphtest.World, guess guesser) {
		w.Person("adelaide")
		for network, account := range map[string]string{"198.51.100.": "adelaide", "198.18.0.": "nobodyis"} {
			got := map[string]int{}
			for i := range 40 {
				spelt := []byte(account)
				for letter := range spelt { // in different cases each time
					spelt[letter] -= byte(i>>letter&1) * ('a' - 'A')
				}
				for code, n := range guess("", fmt.Sprint(network, i), string(spelt), 1) {
					got[code] += n
				}
			}
			if got["UNAUTHENTICATED"] != 31 || got["RATE_LIMITED"] != 9 {
				t.Errorf("40 addresses at %s: got %v, want 31 tried", account, got)
			}
		}
		// One address alone cannot use up the attempts of the account.
		guess("", "203.0.113.1", "carol", 100)
		if got := guess("", "203.0.113.2", "carol", 1); got["UNAUTHENTICATED"] != 1 {
			t.Errorf("from another address: got %v, want it tried", got)
		}
	})
}

func TestAUserMayMistypeAPassword(t *testing.T) {
	guessing(t, func(t *testing.T, w *graphtest.World, guess guesser) {
		home := http.Header{"Test-Address": {"192.0.2.1"}}
		w.Send("", `mutation { registerUser(input: {username: "bob", password: "a password"}) { token } }`, nil, home)
		logIn := func() graphtest.Answer {
			return w.Send("", `mutation { logIn(input: {username: "bob", password: "a password"}) { token } }`, nil, home)
		}
		for range 3 { // times, until the right one
			guess("", "192.0.2.1", "bob", 5)
			if got := logIn(); got.Code() != "" {
				t.Fatalf("after five wrong passwords: got %s, want a token", got.Body)
			}
		}
		guess("", "192.0.2.1", "bob", 7)
		got := logIn()
		if want := "too many wrong passwords; try again in 2 seconds"; got.Code() != "RATE_LIMITED" || got.Errors[0].Message != want || got.Header.Get("Retry-After") != "2" {
			t.Fatalf("after seven: got %s, want RATE_LIMITED and %q", got.Body, want)
		}
		time.Sleep(2 * time.Second)
		if got := logIn(); got.Code() != "" {
			t.Errorf("2 s later: got %s, want a token", got.Body)
		}
	})
}
