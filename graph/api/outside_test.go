package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
)

const audience = "chirp-api"

const registerOutside = `mutation($username: String!, $password: String, $commandId: String) {
	registerUser(input: {username: $username, password: $password, commandId: $commandId}) { user { id username } token position } }`

// outsideWorld is a world that trusts an issuer.
type outsideWorld struct {
	*world
	issuer *authtest.Issuer
	key    authtest.Key
}

func newOutsideWorld(t *testing.T, change ...func(*api.Config)) outsideWorld {
	key := authtest.RSA(t, "r1")
	o := outsideWorld{issuer: authtest.StartIssuer(t, key), key: key}
	o.world = newWorld(t, append(change, func(c *api.Config) {
		c.Auth.Tokens.Trust(auth.NewIssuer(auth.IssuerConfig{URL: o.issuer.URL, Audience: audience}), c.Commands.FindIdentity)
	})...)
	return o
}

// outside gives a token of the issuer's about a subject.
func (o outsideWorld) outside(subject string) string {
	return o.key.Sign(o.t, o.issuer.Claims(subject, audience, time.Now()))
}

func TestAnOutsideIdentityMakesItsAccountAndActs(t *testing.T) {
	o := newOutsideWorld(t)
	token := o.outside("ada@issuer")
	for operation, code := range map[string]string{
		`{ viewer { id } }`: "", postOnce: "UNAUTHENTICATED", `{ feed { edges { cursor } } }`: "UNAUTHENTICATED",
	} {
		got := o.ask(token, operation, nil)
		if got.code() != code || code != "" && !strings.Contains(got.Errors[0].Message, "registerUser") {
			t.Errorf("%s without an account: got %s, want %q and how to make one", operation, got.body, code)
		}
	}
	made := o.must(token, registerOutside, map[string]any{"username": "ada", "commandId": "1"})
	if made.at("registerUser.user.username") != "ada" || made.at("registerUser.token") != nil || made.at("registerUser.position") != "3" {
		t.Errorf("got %s, want ada, no token, and position 3", made.body)
	}
	if got := o.must(o.outside("ada@issuer"), `{ viewer { id } }`, nil); got.at("viewer.id") != made.at("registerUser.user.id") {
		t.Errorf("viewer by another token: got %s, want %v", got.body, made.at("registerUser.user.id"))
	}
	o.must(token, postOnce, nil)
	again := o.must(token, registerOutside, map[string]any{"username": "ada", "commandId": "1"})
	if again.at("registerUser.user.id") != made.at("registerUser.user.id") {
		t.Errorf("repeated: got %s, want the first answer", again.body)
	}
}

func TestRegistrationTellsWhatIsWrongWithThePassword(t *testing.T) {
	o := newOutsideWorld(t)
	o.must(o.outside("ada"), registerOutside, map[string]any{"username": "ada"})
	type vars = map[string]any
	for _, c := range []struct {
		name, token, code, says string
		variables               vars
	}{
		{"nobody, and no password", "", "BAD_USER_INPUT", "there is no password", vars{"username": "bob"}},
		{"nobody, and null", "", "BAD_USER_INPUT", "there is no password", vars{"username": "bob", "password": nil}},
		{"nobody, and an empty one", "", "BAD_USER_INPUT", "0 bytes", vars{"username": "bob", "password": ""}},
		{"an identity, and a password", o.outside("bob"), "BAD_USER_INPUT", "leave the password out", vars{"username": "bob", "password": "a password"}},
		{"an identity, and an empty one", o.outside("bob"), "BAD_USER_INPUT", "leave the password out", vars{"username": "bob", "password": ""}},
		{"an identity, and a taken name", o.outside("bob"), "USERNAME_TAKEN", "taken", vars{"username": "ADA"}},
		{"an identity that has an account", o.outside("ada"), "CONFLICT", "has an account already", vars{"username": "bob"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := o.ask(c.token, registerOutside, c.variables)
			if got.code() != c.code || !strings.Contains(got.Errors[0].Message, c.says) {
				t.Errorf("got %s, want %s and %q", got.body, c.code, c.says)
			}
		})
	}
	if got := o.ask("", `mutation { logIn(input: {username: "ada", password: "a password"}) { token } }`, nil); got.code() != "UNAUTHENTICATED" {
		t.Errorf("logging in to an account without a password: got %s, want UNAUTHENTICATED", got.body)
	}
}

func TestPasswordsCanBeSwitchedOff(t *testing.T) {
	o := newOutsideWorld(t, func(c *api.Config) { c.PasswordsOff = true })
	ada := o.person("ada")
	for name, operation := range map[string]string{
		"logging in":                     `mutation { logIn(input: {username: "ada", password: "a password"}) { token } }`,
		"registering":                    `mutation { registerUser(input: {username: "bob", password: "a password"}) { token } }`,
		"registering without a password": `mutation { registerUser(input: {username: "bob"}) { token } }`,
	} {
		if got := o.ask("", operation, nil); got.code() != "FORBIDDEN" || !strings.Contains(got.Errors[0].Message, "switched off") {
			t.Errorf("%s: got %s, want FORBIDDEN", name, got.body)
		}
	}
	o.must(o.outside("bob"), registerOutside, map[string]any{"username": "bob"})
	o.must(ada.token, postOnce, nil) // a token that was issued before is good until it expires
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
		r := o.send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {"application/graphql-response+json"}})
		if r.code() != "UNAUTHENTICATED" || r.status != http.StatusUnauthorized || strings.Contains(r.body, `"data"`) {
			t.Errorf("%s: got %d %s, want 401 UNAUTHENTICATED", name, r.status, r.body)
		}
	}
}

func TestAnIssuerThatIsDownIsNoBadToken(t *testing.T) {
	o := newOutsideWorld(t)
	o.issuer.SetDown(true)
	token := o.outside("ada")
	got := o.send(token, `{ viewer { id } }`, nil, nil)
	if got.code() != "UNAVAILABLE" || got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s, want 503 UNAVAILABLE and when to try again", got.status, got.body)
	}
	o.must(o.person("bob").token, postOnce, nil) // others are served
	o.issuer.SetDown(false)
	o.must(token, `{ viewer { id } }`, nil)
}

func TestAFaultOfTheLogIsNotToldToAnOutsideCaller(t *testing.T) {
	o := newOutsideWorld(t)
	o.log.mu.Lock()
	o.log.outage = errors.New("page 7 is torn")
	o.log.mu.Unlock()
	token := o.outside("ada")
	got := o.send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {"application/graphql-response+json"}})
	if got.code() != "INTERNAL" || got.status != http.StatusInternalServerError || strings.Contains(got.body, "torn") || !strings.Contains(o.logged.String(), "torn") {
		t.Errorf("got %d %s, want 500 INTERNAL, and the reason in the log alone", got.status, got.body)
	}
	c := o.dial(t, nil)
	c.send(message{Type: "connection_init", Payload: json.RawMessage(marshal(map[string]any{"authorization": "Bearer " + token}))})
	if code, reason := c.closed(); code != 1013 || strings.Contains(reason, "torn") {
		t.Errorf("a socket: got %d %q, want 1013", code, reason)
	}
	o.log.mu.Lock()
	o.log.outage = nil
	o.log.mu.Unlock()
}

func TestAnOutsideIdentityRegistersOverASocket(t *testing.T) {
	o := newOutsideWorld(t)
	token := o.outside("ada")
	c := o.socket(t, token)
	c.subscribe("1", `mutation { registerUser(input: {username: "ada"}) { user { username } token } }`)
	if got := c.next("1"); got.at("registerUser.user.username") != "ada" {
		t.Errorf("got %s, want ada", got.body)
	}
	again := o.socket(t, token)
	again.subscribe("1", postOnce)
	if got := again.next("1"); got.code() != "" {
		t.Errorf("on a new socket: got %s, want the chirp posted", got.body)
	}
}

func TestASocketEndsWithItsOutsideToken(t *testing.T) {
	var ahead atomic.Int64
	key := authtest.EC(t, "e1")
	issuer := authtest.StartIssuer(t, key)
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w := newWorld(t, func(c *api.Config) {
		c.Transport.Ping = 20 * time.Millisecond
		c.Auth.Tokens.Trust(auth.NewIssuer(auth.IssuerConfig{URL: issuer.URL, Audience: audience, Now: now}), c.Commands.FindIdentity)
	})
	c := w.socket(t, key.Sign(t, issuer.Claims("ada", audience, time.Now())))
	ahead.Store(int64(2 * time.Hour))
	if code, reason := c.closed(); code != 4403 || !strings.Contains(reason, "expired") {
		t.Errorf("got %d %q, want 4403 for the token has expired", code, reason)
	}
}
