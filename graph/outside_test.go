package graph_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
)

const audience = "chirp-api"

const registerOutside = `mutation($username: String!, $password: String, $commandId: String) {
	registerUser(input: {username: $username, password: $password, commandId: $commandId}) { user { id username } token position } }`

// outsideWorld is a world that trusts an issuer.
type outsideWorld struct {
	*graphtest.World
	issuer *authtest.Issuer
	key    authtest.Key
}

func newOutsideWorld(t *testing.T, change ...func(*api.Config)) outsideWorld {
	key := authtest.RSA(t, "r1")
	o := outsideWorld{issuer: authtest.StartIssuer(t, key), key: key}
	o.World = graphtest.New(t, append(change, func(c *api.Config) {
		c.Auth.Tokens.Trust(auth.NewIssuer(auth.IssuerConfig{URL: o.issuer.URL, Audience: audience}), c.Commands.FindIdentity)
	})...)
	return o
}

// outside returns a token from the issuer for a subject.
func (o outsideWorld) outside(subject string) string {
	return o.key.Sign(o.T, o.issuer.Claims(subject, audience, time.Now()))
}

func TestAnOutsideIdentityRegistersAndPosts(t *testing.T) {
	o := newOutsideWorld(t)
	token := o.outside("ada@issuer")
	for operation, code := range map[string]string{
		`{ viewer { id } }`: "", graphtest.PostOnce: "UNAUTHENTICATED", `{ feed { edges { cursor } } }`: "UNAUTHENTICATED",
	} {
		got := o.Ask(token, operation, nil)
		if got.Code() != code || code != "" && !strings.Contains(got.Errors[0].Message, "registerUser") {
			t.Errorf("%s without an account: got %s, want %q and how to make one", operation, got.Body, code)
		}
	}
	made := o.Must(token, registerOutside, map[string]any{"username": "ada", "commandId": "1"})
	if made.At("registerUser.user.username") != "ada" || made.At("registerUser.token") != nil || made.At("registerUser.position") != "3" {
		t.Errorf("got %s, want ada, no token, and position 3", made.Body)
	}
	if got := o.Must(o.outside("ada@issuer"), `{ viewer { id } }`, nil); got.At("viewer.id") != made.At("registerUser.user.id") {
		t.Errorf("viewer by another token: got %s, want %v", got.Body, made.At("registerUser.user.id"))
	}
	o.Must(token, graphtest.PostOnce, nil)
	again := o.Must(token, registerOutside, map[string]any{"username": "ada", "commandId": "1"})
	if again.At("registerUser.user.id") != made.At("registerUser.user.id") {
		t.Errorf("repeated: got %s, want the first answer", again.Body)
	}
}

func TestOutsideIdentitiesAreLimitedByTheDay(t *testing.T) {
	o := newOutsideWorld(t, func(c *api.Config) { c.Guard.RateLimit, c.Guard.RegistrationsPerDay = 1000, 1 })
	o.Must(o.outside("ada@issuer"), registerOutside, map[string]any{"username": "ada"})
	got := o.Ask(o.outside("bob@issuer"), registerOutside, map[string]any{"username": "bob"})
	if got.Code() != "RATE_LIMITED" || !strings.Contains(got.Errors[0].Message, "too many accounts") {
		t.Errorf("the second from an address: got %s, want RATE_LIMITED and why", got.Body)
	}
}

func TestRegistrationSaysWhatIsWrongWithThePassword(t *testing.T) {
	o := newOutsideWorld(t)
	o.Must(o.outside("ada"), registerOutside, map[string]any{"username": "ada"})
	type vars = map[string]any
	for _, c := range []struct {
		name, token, code, says string
		variables               vars
	}{
		{"nobody, and no password", "", "BAD_USER_INPUT", "the password is missing", vars{"username": "bob"}},
		{"nobody, and null", "", "BAD_USER_INPUT", "the password is missing", vars{"username": "bob", "password": nil}},
		{"nobody, and an empty one", "", "BAD_USER_INPUT", "0 bytes", vars{"username": "bob", "password": ""}},
		{"an identity, and a password", o.outside("bob"), "BAD_USER_INPUT", "leave the password out", vars{"username": "bob", "password": "a password"}},
		{"an identity, and an empty one", o.outside("bob"), "BAD_USER_INPUT", "leave the password out", vars{"username": "bob", "password": ""}},
		{"an identity, and a taken name", o.outside("bob"), "USERNAME_TAKEN", "taken", vars{"username": "ADA"}},
		{"an identity that has an account", o.outside("ada"), "CONFLICT", "already has an account", vars{"username": "bob"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := o.Ask(c.token, registerOutside, c.variables)
			if got.Code() != c.code || !strings.Contains(got.Errors[0].Message, c.says) {
				t.Errorf("got %s, want %s and %q", got.Body, c.code, c.says)
			}
		})
	}
	if got := o.Ask("", `mutation { logIn(input: {username: "ada", password: "a password"}) { token } }`, nil); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("logging in to an account without a password: got %s, want UNAUTHENTICATED", got.Body)
	}
}

func TestPasswordsCanBeSwitchedOff(t *testing.T) {
	o := newOutsideWorld(t, func(c *api.Config) { c.PasswordsOff = true })
	ada := o.Person("ada")
	for name, operation := range map[string]string{
		"logging in":                     `mutation { logIn(input: {username: "ada", password: "a password"}) { token } }`,
		"registering":                    `mutation { registerUser(input: {username: "bob", password: "a password"}) { token } }`,
		"registering without a password": `mutation { registerUser(input: {username: "bob"}) { token } }`,
	} {
		if got := o.Ask("", operation, nil); got.Code() != "FORBIDDEN" || !strings.Contains(got.Errors[0].Message, "switched off") {
			t.Errorf("%s: got %s, want FORBIDDEN", name, got.Body)
		}
	}
	o.Must(o.outside("bob"), registerOutside, map[string]any{"username": "bob"})
	o.Must(ada.Token, graphtest.PostOnce, nil) // a token that was issued before is good until it expires
}

func TestBadOutsideTokensAreRefused(t *testing.T) {
	o := newOutsideWorld(t)
	claims := o.issuer.Claims("ada", audience, time.Now())
	type change = map[string]any
	for name, token := range map[string]string{
		"expired":          o.key.Sign(t, claims, change{"exp": time.Now().Add(-time.Hour).Unix()}),
		"not yet good":     o.key.Sign(t, claims, change{"nbf": time.Now().Add(time.Hour).Unix()}),
		"another audience": o.key.Sign(t, claims, change{"aud": "other"}),
		"another issuer":   o.key.Sign(t, claims, change{"iss": "https://other.example"}),
		"another key":      authtest.RSA(t, "r1").Sign(t, claims),
	} {
		r := o.Send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {"application/graphql-response+json"}})
		if r.Code() != "UNAUTHENTICATED" || r.Status != http.StatusUnauthorized || strings.Contains(r.Body, `"data"`) {
			t.Errorf("%s: got %d %s, want 401 UNAUTHENTICATED", name, r.Status, r.Body)
		}
	}
}

func TestAnUnreachableIssuerDoesNotInvalidateTokens(t *testing.T) {
	o := newOutsideWorld(t)
	o.issuer.SetDown(true)
	token := o.outside("ada")
	got := o.Send(token, `{ viewer { id } }`, nil, nil)
	if got.Code() != "UNAVAILABLE" || got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %s, want 503 UNAVAILABLE and when to try again", got.Status, got.Body)
	}
	o.Must(o.Person("bob").Token, graphtest.PostOnce, nil) // others are served
	o.issuer.SetDown(false)
	o.Must(token, `{ viewer { id } }`, nil)
}

func TestALogErrorIsMaskedForAnOutsideCaller(t *testing.T) {
	o := newOutsideWorld(t)
	o.Log.Mu.Lock()
	o.Log.Outage = errors.New("page 7 is torn")
	o.Log.Mu.Unlock()
	token := o.outside("ada")
	got := o.Send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {"application/graphql-response+json"}})
	if got.Code() != "INTERNAL" || got.Status != http.StatusInternalServerError || strings.Contains(got.Body, "torn") || !strings.Contains(o.Logged.String(), "torn") {
		t.Errorf("got %d %s, want 500 INTERNAL, and the reason in the log alone", got.Status, got.Body)
	}
	c := o.Dial(t, nil)
	c.Send(graphtest.Message{Type: "connection_init", Payload: json.RawMessage(graphtest.Marshal(map[string]any{"authorization": "Bearer " + token}))})
	if code, reason := c.WaitClosed(); code != 1013 || strings.Contains(reason, "torn") {
		t.Errorf("a socket: got %d %q, want 1013", code, reason)
	}
	o.Log.Mu.Lock()
	o.Log.Outage = nil
	o.Log.Mu.Unlock()
}

func TestAnOutsideIdentityRegistersOverASocket(t *testing.T) {
	o := newOutsideWorld(t)
	token := o.outside("ada")
	c := o.Socket(t, token)
	c.Subscribe("1", `mutation { registerUser(input: {username: "ada"}) { user { username } token } }`)
	if got := c.Next("1"); got.At("registerUser.user.username") != "ada" {
		t.Errorf("got %s, want ada", got.Body)
	}
	again := o.Socket(t, token)
	again.Subscribe("1", graphtest.PostOnce)
	if got := again.Next("1"); got.Code() != "" {
		t.Errorf("on a new socket: got %s, want the chirp posted", got.Body)
	}
}

func TestASocketIsClosedWhenItsOutsideTokenExpires(t *testing.T) {
	var ahead atomic.Int64
	key := authtest.EC(t, "e1")
	issuer := authtest.StartIssuer(t, key)
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w := graphtest.New(t, func(c *api.Config) {
		c.Transport.Ping = 500 * time.Millisecond
		c.Auth.Tokens.Trust(auth.NewIssuer(auth.IssuerConfig{URL: issuer.URL, Audience: audience, Now: now}), c.Commands.FindIdentity)
	})
	c := w.Socket(t, key.Sign(t, issuer.Claims("ada", audience, time.Now())))
	ahead.Store(int64(2 * time.Hour))
	if code, reason := c.WaitClosed(); code != 4403 || !strings.Contains(reason, "expired") {
		t.Errorf("got %d %q, want 4403 for the token has expired", code, reason)
	}
}
