package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

const audience = "chirp-api"

// registerOutsideDocument has no password, which is as good as null.
const registerOutsideDocument = `mutation($username: String!) { registerUser(input: {username: $username}) { user { id } token position } }`

// outsiders are callers by the tokens of an issuer.
type outsiders struct {
	t      *testing.T
	issuer *authtest.Issuer
	key    authtest.Key
}

func newOutsiders(t *testing.T) outsiders {
	key := authtest.EC(t, "e1")
	return outsiders{t, authtest.StartIssuer(t, key), key}
}

func (o outsiders) flags() []string {
	return []string{"--oidc-issuer", o.issuer.URL, "--oidc-audience", audience}
}

// at is the caller whom a fresh token is about.
func (o outsiders) at(url, subject string) api {
	return api{url: url, token: o.key.Sign(o.t, o.issuer.Claims(subject, audience, time.Now()))}
}

func (a api) registerOutside(t *testing.T, username string) (user, error) {
	t.Helper()
	var got struct {
		RegisterUser struct {
			User            user
			Token, Position string
		}
	}
	err := a.do(t.Context(), registerOutsideDocument, vars{"username": username}, &got)
	if got.RegisterUser.Token != "" {
		t.Errorf("registering %s gave a token, want none: the issuer's goes on being good", username)
	}
	return user{ID: got.RegisterUser.User.ID, Username: username, Position: got.RegisterUser.Position}, err
}

func (a api) viewer(t *testing.T) (id string, err error) {
	t.Helper()
	var got struct{ Viewer struct{ ID string } }
	err = a.do(t.Context(), `{ viewer { id } }`, nil, &got)
	return got.Viewer.ID, err
}

// The subjects are what an attacker could choose at a careless issuer.
var subjects = []string{"ada", "ADA", "ada ", `{"$gt":""}`, `{"$ne":null}`, "' OR 1=1 --", strings.Repeat("x", 255), "é"}

func TestOutsideIdentitiesHaveAccounts(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to place) {
		o := newOutsiders(t)
		server := launch(t, from, o.flags()...)
		ready(t, server.url)
		ids := map[string]string{}
		for i, subject := range subjects {
			a := o.at(server.url, subject)
			if id, err := a.viewer(t); err != nil || id != "" {
				t.Fatalf("%q before it registers: got viewer %q, error %v; want nobody", subject, id, err)
			}
			u := must(a.registerOutside(t, fmt.Sprint("user", i)))(t)
			ids[subject] = u.ID
			if _, err := a.registerOutside(t, fmt.Sprint("again", i)); code(err) != "CONFLICT" {
				t.Errorf("%q a second time: got %s, want CONFLICT", subject, code(err))
			}
		}
		must(o.at(server.url, subjects[0]).follow(t.Context(), ids[subjects[1]], ""))(t)
		last := must(o.at(server.url, subjects[1]).post(t.Context(), "hello", ""))(t).Position
		o.check(server.url, last, ids)
		events := from.events(t)
		if e := events[2]; e.Type != "identity.reserved.v1" || e.Stream != domain.IdentityStream(domain.Identity{Issuer: o.issuer.URL, Subject: "ada"}) || events[0].CommandID != e.CommandID {
			t.Errorf("got the third event %+v, want the identity reserved by the command that registered", e)
		}
		server.terminate(t)
		from.verified(t)

		// On another store, and after the issuer has changed its keys.
		to.mustImport(t, from.export(t))
		o.key = authtest.RSA(t, "r2")
		o.issuer.Rotate(o.key)
		server = launch(t, to, o.flags()...)
		ready(t, server.url)
		o.check(server.url, last, ids)
		server.terminate(t)
		to.verified(t)
		if e := to.command(t, "rebuild"); e.code != 0 {
			t.Errorf("rebuild: exit code %d\n%s", e.code, e.log)
		}
		to.verified(t)
	})
}

// check sees, after a position, that each subject is the user that it
// registered.
func (o outsiders) check(url, after string, ids map[string]string) {
	o.t.Helper()
	for subject, want := range ids {
		a := o.at(url, subject)
		a.readAfter = after
		eventually(o.t, fmt.Sprintf("%q is visible", subject), func() bool { _, err := a.viewer(o.t); return code(err) != "NOT_YET_VISIBLE" })
		if id, err := a.viewer(o.t); err != nil || id != want {
			o.t.Errorf("%q: got viewer %q, error %v; want %s", subject, id, err, want)
		}
	}
	reader := o.at(url, subjects[0])
	reader.readAfter = after
	if feed := must(reader.feed(o.t.Context(), 10))(o.t); len(feed) != 1 || feed[0].Node.Author.ID != ids[subjects[1]] {
		o.t.Errorf("got the feed %v, want one chirp by %q", feed, subjects[1])
	}
}

// verified checks that the views of a place are what its log says.
func (p place) verified(t *testing.T) {
	t.Helper()
	if e := p.command(t, "verify"); e.code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", e.code, e.out, e.log)
	}
}

func TestAServerStartsWithoutItsIssuer(t *testing.T) {
	o := newOutsiders(t)
	o.issuer.SetDown(true)
	server := start(t, embedded(t.TempDir()), o.flags()...) // until it is ready
	a := o.at(server.url, "ada")
	if _, err := a.viewer(t); code(err) != "UNAVAILABLE" {
		t.Errorf("an outside token: got %s, want UNAVAILABLE", code(err))
	}
	bob := registerAll(t, server.url, "bob")[0].at(server.url)
	must(bob.post(t.Context(), "the others are served", ""))(t)
	if !strings.Contains(server.log.String(), "gives no keys") {
		t.Error("the log does not say that the issuer gives no keys")
	}
	o.issuer.SetDown(false)
	eventually(t, "outside tokens are good", func() bool { _, err := a.viewer(t); return err == nil })
}

func TestTheAddressBehindAProxyIsLimited(t *testing.T) {
	server := start(t, embedded(t.TempDir()), "--trusted-proxies", "127.0.0.0/8,::1", "--rate-limit", "1", "--local-passwords=true")
	logIn := func(address string) string {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, server.url+"/graphql",
			strings.NewReader(`{"query": "mutation { logIn(input: {username: \"nobody\", password: \"a password\"}) { token } }"}`)))(t)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "203.0.113.99, "+address)
		response := must(browser.Do(r))(t)
		defer response.Body.Close()
		var text [400]byte
		n, _ := response.Body.Read(text[:])
		for _, code := range []string{"UNAUTHENTICATED", "RATE_LIMITED"} {
			if strings.Contains(string(text[:n]), code) {
				return code
			}
		}
		return string(text[:n])
	}
	for _, c := range []struct{ address, want string }{
		{"192.0.2.1", "UNAUTHENTICATED"}, {"192.0.2.1", "RATE_LIMITED"}, {"192.0.2.2", "UNAUTHENTICATED"}, {"192.0.2.2", "RATE_LIMITED"},
	} {
		if got := logIn(c.address); got != c.want {
			t.Errorf("from %s: got %s, want %s", c.address, got, c.want)
		}
	}
}
