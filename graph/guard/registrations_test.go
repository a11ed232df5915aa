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

// registering runs a test in a bubble, where time stands still while passwords are
// hashed. register returns the code and the message of a registration.
func registering(t *testing.T, perDay int, test func(t *testing.T, register func(address, username string) (code, message string))) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		test(t, func(address, username string) (code, message string) {
			got := w.Send("", fmt.Sprintf(`mutation { registerUser(input: {username: %q, password: "a password"}) { token } }`, username), nil, http.Header{"Test-Address": {address}})
			if got.Code() == "" {
				return "", ""
			}
			return got.Code(), got.Errors[0].Message
		})
	}, func(c *api.Config) {
		c.Guard.RateLimit, c.Guard.RegistrationsPerDay = 1000, perDay
		c.ClientIP = testAddress
	})
}

func TestAccountsAreLimitedByTheDay(t *testing.T) {
	registering(t, 3, func(t *testing.T, register func(string, string) (string, string)) {
		made := 0
		try := func(when, address, username, want string) {
			t.Helper()
			if code, message := register(address, username); code != want {
				t.Errorf("%s: got %s %q, want %q", when, code, message, want)
			}
		}
		next := func() string { made++; return fmt.Sprint("user", made) }
		for range 3 {
			try("one of three", "192.0.2.1", next(), "")
		}
		try("the fourth", "192.0.2.1", "late", "RATE_LIMITED")
		if _, message := register("192.0.2.1", "late"); !strings.Contains(message, "try again in 480 minutes") {
			t.Errorf("got %q, want when to try again", message)
		}
		try("from another address", "192.0.2.2", next(), "")
		for range 5 {
			try("a name that is taken", "192.0.2.2", "user1", "USERNAME_TAKEN")
		}
		try("after those that failed", "192.0.2.2", next(), "")
		for i := range 6 {
			try("in a /56", fmt.Sprintf("2001:db8::%x:0:0:0:1", i), next(), "")
		}
		try("one more in the /56", "2001:db8:0:7::1", "more", "RATE_LIMITED")
		time.Sleep(8 * time.Hour)
		try("8 hours later", "192.0.2.1", next(), "")
		try("and again", "192.0.2.1", "again", "RATE_LIMITED")
	})
}

// TestAClassMayRegister registers 200 users behind one address, each of whom waits as
// long as they are told to.
func TestAClassMayRegister(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		begun := time.Now()
		for i := range 200 {
			for {
				got := w.Ask("", fmt.Sprintf(`mutation { registerUser(input: {username: "user%d", password: "a password"}) { token } }`, i), nil)
				if got.Code() == "" {
					break
				}
				wait, _ := got.Errors[0].Extensions["retryAfter"].(float64)
				if got.Code() != "RATE_LIMITED" || wait > 10 {
					t.Fatalf("user %d: got %s, want a short wait", i, got.Body)
				}
				time.Sleep(time.Duration(wait) * time.Second)
			}
		}
		if took := time.Since(begun); took > 2*time.Minute {
			t.Errorf("200 users took %s, want less than 2 minutes", took)
		}
	}, func(c *api.Config) { c.Guard.RateLimit, c.Guard.RegistrationsPerDay = 20, 300 })
}
