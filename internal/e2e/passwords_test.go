package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/apitest"
)

// behindProxy are the flags of a server with the default limits that believes the
// tests about where they call from.
var behindProxy = []string{"--rate-limit", "20", "--trusted-proxies", "127.0.0.0/8,::1"}

// guesses are wrong passwords tried at an account.
type guesses struct {
	tried, refused atomic.Int64
}

// guess tries ten wrong passwords at once, again and again, from addresses in turn.
func (g *guesses) guess(ctx context.Context, url, username string, addresses ...string) {
	var ten strings.Builder
	for i := range 10 {
		fmt.Fprintf(&ten, "a%d: logIn(input: {username: %q, password: \"guess number %d\"}) { token } ", i, username, i)
	}
	body, _ := json.Marshal(apitest.Vars{"query": "mutation { " + ten.String() + "}"})
	for i := 0; ctx.Err() == nil; i++ {
		resp, err := apitest.API{URL: url, From: addresses[i%len(addresses)]}.Request(ctx, body, "application/json")
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		g.tried.Add(int64(strings.Count(string(text), `"UNAUTHENTICATED"`)))
		g.refused.Add(int64(strings.Count(string(text), `"RATE_LIMITED"`)))
	}
}

// attack guesses an account's password from five addresses and from all networks of
// a household until the test ends, and returns when the account is closed to
// strangers.
func attack(t *testing.T, url, username string) *guesses {
	var g guesses
	var guessing sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); guessing.Wait() })
	for i := range 5 {
		guessing.Go(func() { g.guess(ctx, url, username, fmt.Sprintf("198.51.100.%d", i)) })
	}
	var household []string
	for i := range 256 {
		household = append(household, fmt.Sprintf("2001:db8:1:23%02x::1", i))
	}
	guessing.Go(func() { g.guess(ctx, url, username, household...) })
	apitest.Eventually(t, "guesses are refused", func() bool { return g.refused.Load() > 100 })
	return &g
}

// TestTheOwnerLogsInWhileStrangersGuess also restarts the server: it must still know
// the owner's address.
func TestTheOwnerLogsInWhileStrangersGuess(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, behindProxy...)
		for name, address := range map[string]string{"owner": "192.0.2.1", "neighbor": "192.0.2.2"} {
			if _, err := (apitest.API{URL: s.URL, From: address}).Register(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		for _, when := range []string{"at first", "after a restart"} {
			g := attack(t, s.URL, "owner")
			var longest time.Duration
			for i := range 12 {
				begun := time.Now()
				if _, err := (apitest.API{URL: s.URL, From: "192.0.2.1"}).LogIn(t.Context(), "owner", apitest.Password); err != nil {
					t.Errorf("%s: log-in %d of the owner: %v", when, i+1, err)
				}
				longest = max(longest, time.Since(begun))
			}
			if _, err := (apitest.API{URL: s.URL, From: "192.0.2.200"}).LogIn(t.Context(), "neighbor", apitest.Password); err != nil {
				t.Errorf("%s: another user from a new network: %v", when, err)
			}
			tried, refused := g.tried.Load(), g.refused.Load()
			if tried > 50 {
				t.Errorf("%s: %d passwords could be tried, want about 31", when, tried)
			}
			t.Logf("%s: the owner waited %s at most; %d passwords were tried and %d refused", when, longest.Round(time.Millisecond), tried, refused)
			if when == "at first" {
				s.Terminate(t)
				s = apitest.Start(t, p, behindProxy...)
			}
		}
	})
}

// TestAnOfficeLogsIn has 200 users log in behind one address that none of them has
// used before. Every fifth mistypes the password once, and one program has an old
// password and never stops.
func TestAnOfficeLogsIn(t *testing.T) {
	const users, office = 200, "203.0.113.1"
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, behindProxy...)
		inParallel(users, func(i int) {
			at := apitest.API{URL: s.URL, From: fmt.Sprintf("192.0.2.%d", i)}
			if _, err := at.Register(t.Context(), fmt.Sprint("user", i)); err != nil {
				t.Error(err)
			}
		})
		at := apitest.API{URL: s.URL, From: office}
		pace := time.NewTicker(time.Minute / (4 * users)) // in 15 seconds, which is hurried
		defer pace.Stop()
		ctx, cancel := context.WithCancel(t.Context())
		var program sync.WaitGroup
		defer program.Wait()
		defer cancel()
		program.Go(func() {
			for often := time.Tick(200 * time.Millisecond); ctx.Err() == nil; <-often {
				_, _ = at.LogIn(ctx, "user0", "an old password")
			}
		})
		inParallel(users-1, func(i int) {
			name := fmt.Sprint("user", i+1)
			if i%5 == 0 {
				<-pace.C
				if _, err := at.LogIn(t.Context(), name, "mistyped"); apitest.Code(err) != "UNAUTHENTICATED" {
					t.Errorf("%s mistyped the password: got %v, want UNAUTHENTICATED", name, err)
				}
			}
			<-pace.C
			if _, err := at.LogIn(t.Context(), name, apitest.Password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	})
}

// inParallel calls a function with 0 to n-1, from a few goroutines.
func inParallel(n int, call func(i int)) {
	var next atomic.Int64
	var calling sync.WaitGroup
	for range 8 {
		calling.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				call(i)
			}
		})
	}
	calling.Wait()
}
