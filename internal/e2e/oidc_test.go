package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

const audience = "chirp-api"

// registerOutsideDocument has no password, which means the same as null.
const registerOutsideDocument = `mutation($username: String!) { registerUser(input: {username: $username}) { user { id } token position } }`

// outsiders are callers with tokens of an OpenID Connect issuer.
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

// at returns a caller with a new token of a subject.
func (o outsiders) at(url, subject string) apitest.API {
	return apitest.API{URL: url, Token: o.key.Sign(o.t, o.issuer.Claims(subject, audience, time.Now()))}
}

func registerOutside(t *testing.T, a apitest.API, username string) (apitest.User, error) {
	t.Helper()
	var got struct {
		RegisterUser struct {
			User            apitest.User
			Token, Position string
		}
	}
	err := a.Do(t.Context(), registerOutsideDocument, apitest.Vars{"username": username}, &got)
	if got.RegisterUser.Token != "" {
		t.Errorf("register %s: got a token, want none, because the issuer's stays valid", username)
	}
	return apitest.User{ID: got.RegisterUser.User.ID, Username: username, Position: got.RegisterUser.Position}, err
}

func viewerID(t *testing.T, a apitest.API) (id string, err error) {
	t.Helper()
	var got struct{ Viewer struct{ ID string } }
	err = a.Do(t.Context(), `{ viewer { id } }`, nil, &got)
	return got.Viewer.ID, err
}

// subjects are names that an attacker could choose at a careless issuer.
var subjects = []string{"ada", "ADA", "ada ", `{"$gt":""}`, `{"$ne":null}`, "' OR 1=1 --", strings.Repeat("x", 255), "é"}

func TestOutsideIdentitiesHaveAccounts(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		o := newOutsiders(t)
		server := apitest.Launch(t, from, o.flags()...)
		apitest.Ready(t, server.URL)
		ids := map[string]string{}
		for i, subject := range subjects {
			a := o.at(server.URL, subject)
			if id, err := viewerID(t, a); err != nil || id != "" {
				t.Fatalf("%q before it registers: got viewer %q, error %v; want none", subject, id, err)
			}
			u := apitest.Must(registerOutside(t, a, fmt.Sprint("user", i)))(t)
			ids[subject] = u.ID
			if _, err := registerOutside(t, a, fmt.Sprint("again", i)); apitest.Code(err) != "CONFLICT" {
				t.Errorf("%q a second time: got %s, want CONFLICT", subject, apitest.Code(err))
			}
		}
		apitest.Must(o.at(server.URL, subjects[0]).Follow(t.Context(), ids[subjects[1]], ""))(t)
		last := apitest.Must(o.at(server.URL, subjects[1]).Post(t.Context(), "hello", ""))(t).Position
		o.check(server.URL, last, ids)
		events := from.Events(t)
		if e := events[2]; e.Type != "identity.reserved.v1" || e.Stream != domain.IdentityStream(domain.Identity{Issuer: o.issuer.URL, Subject: "ada"}) || events[0].CommandID != e.CommandID {
			t.Errorf("got the third event %+v, want the identity reserved by the command that registered", e)
		}
		server.Terminate(t)
		wantSound(t, from)

		// On another store, and after the issuer has changed its keys.
		to.Import(t, from.Export(t))
		o.key = authtest.RSA(t, "r2")
		o.issuer.Rotate(o.key)
		server = apitest.Launch(t, to, o.flags()...)
		apitest.Ready(t, server.URL)
		o.check(server.URL, last, ids)
		server.Terminate(t)
		wantSound(t, to)
		if e := to.Command(t, "rebuild"); e.Code != 0 {
			t.Errorf("rebuild: exit code %d\n%s", e.Code, e.Log)
		}
		wantSound(t, to)
	})
}

// check checks, after a position, that each subject is the user whom it
// registered.
func (o outsiders) check(url, after string, ids map[string]string) {
	o.t.Helper()
	for subject, want := range ids {
		a := o.at(url, subject)
		a.ReadAfter = after
		apitest.Eventually(o.t, fmt.Sprintf("%q is visible", subject), func() bool { _, err := viewerID(o.t, a); return apitest.Code(err) != "NOT_YET_VISIBLE" })
		if id, err := viewerID(o.t, a); err != nil || id != want {
			o.t.Errorf("%q: got viewer %q, error %v; want %s", subject, id, err, want)
		}
	}
	reader := o.at(url, subjects[0])
	reader.ReadAfter = after
	if feed := apitest.Must(reader.Feed(o.t.Context(), 10))(o.t); len(feed) != 1 || feed[0].Node.Author.ID != ids[subjects[1]] {
		o.t.Errorf("got the feed %v, want one chirp by %q", feed, subjects[1])
	}
}

func TestServerStartsWithoutItsIssuer(t *testing.T) {
	o := newOutsiders(t)
	o.issuer.SetDown(true)
	server := apitest.Start(t, apitest.Embedded(t.TempDir()), o.flags()...) // until it is ready
	a := o.at(server.URL, "ada")
	if _, err := viewerID(t, a); apitest.Code(err) != "UNAVAILABLE" {
		t.Errorf("an external token: got %s, want UNAVAILABLE", apitest.Code(err))
	}
	bob := apitest.RegisterAll(t, server.URL, "bob")[0].At(server.URL)
	apitest.Must(bob.Post(t.Context(), "the others are served", ""))(t)
	if !strings.Contains(server.Log.String(), "cannot fetch the keys") {
		t.Error("the log does not say that the keys cannot be fetched")
	}
	o.issuer.SetDown(false)
	apitest.Eventually(t, "external tokens are good", func() bool { _, err := viewerID(t, a); return err == nil })
}

func TestTheAddressBehindAProxyIsLimited(t *testing.T) {
	server := apitest.Start(t, apitest.Embedded(t.TempDir()), "--trusted-proxies", "127.0.0.0/8,::1", "--rate-limit", "1", "--local-passwords=true")
	users := 0
	register := func(address string) string {
		users++
		r := apitest.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/graphql",
			strings.NewReader(fmt.Sprintf(`{"query": "mutation { registerUser(input: {username: \"user%d\", password: \"a password\"}) { __typename } }"}`, users))))(t)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "203.0.113.99, "+address)
		response := apitest.Must(apitest.Client.Do(r))(t)
		defer response.Body.Close()
		var text [400]byte
		n, _ := response.Body.Read(text[:])
		for _, code := range []string{"RegisterUserPayload", "RATE_LIMITED"} {
			if strings.Contains(string(text[:n]), code) {
				return code
			}
		}
		return string(text[:n])
	}
	for _, c := range []struct{ address, want string }{
		{"192.0.2.1", "RegisterUserPayload"}, {"192.0.2.1", "RATE_LIMITED"}, {"192.0.2.2", "RegisterUserPayload"}, {"192.0.2.2", "RATE_LIMITED"},
	} {
		if got := register(c.address); got != c.want {
			t.Errorf("from %s: got %s, want %s", c.address, got, c.want)
		}
	}
}
