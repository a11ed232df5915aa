package auth_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

const audience = "chirp-api"

// clock is a clock that a test sets.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func trusting(i *authtest.Issuer) (*auth.Issuer, *clock) {
	c := &clock{}
	return auth.NewIssuer(auth.IssuerConfig{URL: i.URL, Audience: audience, Now: c.now}), c
}

func TestExternalTokensOfBothKindsOfKeyAreValid(t *testing.T) {
	for _, key := range []authtest.Key{authtest.RSA(t, "r1"), authtest.EC(t, "e1"), authtest.RSA(t, "")} {
		t.Run(key.Method.Alg()+" "+key.ID, func(t *testing.T) {
			i := authtest.StartIssuer(t, authtest.RSA(t, "other"), key)
			issuer, _ := trusting(i)
			for range 3 {
				who, expires, err := issuer.Verify(t.Context(), key.Sign(t, i.Claims("248289761001", audience, noon)))
				if want := (domain.Identity{Issuer: i.URL, Subject: "248289761001"}); err != nil || who != want {
					t.Errorf("Verify: got %+v, error %v; want %+v", who, err, want)
				}
				if d := expires.Sub(noon); d < time.Hour || d > time.Hour+time.Minute {
					t.Errorf("Verify: got an expiry %v from now, want an hour", d)
				}
			}
			if n := i.Fetches(); n != 1 {
				t.Errorf("the keys were fetched %d times, want once", n)
			}
		})
	}
}

func TestExternalTokensThatAreNotValid(t *testing.T) {
	key, stranger := authtest.RSA(t, "r1"), authtest.RSA(t, "r1")
	i := authtest.StartIssuer(t, key, authtest.EC(t, "e1"))
	i.Add(map[string]any{"kty": "oct", "kid": "shared", "alg": "HS256", "k": base64.RawURLEncoding.EncodeToString(secret)})
	i.Add(map[string]any{"kty": "RSA", "kid": "broken"})
	issuer, _ := trusting(i)
	good := i.Claims("1", audience, noon)
	type change = map[string]any
	for _, c := range []struct {
		name, token string
		says        string
	}{
		{"expired", key.Sign(t, good, change{"exp": noon.Add(-time.Minute).Unix()}), "expired"},
		{"without an end", key.Sign(t, good, change{"exp": nil}), "not valid"},
		{"not yet good", key.Sign(t, good, change{"nbf": noon.Add(time.Hour).Unix()}), "not valid"},
		{"issued in the future", key.Sign(t, good, change{"iat": noon.Add(time.Hour).Unix()}), "not valid"},
		{"for another audience", key.Sign(t, good, change{"aud": "another-api"}), "not valid"},
		{"for an audience that begins as ours", key.Sign(t, good, change{"aud": audience + "2"}), "not valid"},
		{"without an audience", key.Sign(t, good, change{"aud": nil}), "not valid"},
		{"of another issuer", key.Sign(t, good, change{"iss": "https://other.example"}), "not valid"},
		{"of an issuer with a slash more", key.Sign(t, good, change{"iss": i.URL + "/"}), "not valid"},
		{"of no issuer", key.Sign(t, good, change{"iss": nil}), "not valid"},
		{"without a subject", key.Sign(t, good, change{"sub": nil}), "not valid"},
		{"about a subject of 256 bytes", key.Sign(t, good, change{"sub": strings.Repeat("x", 256)}), "not valid"},
		{"about a subject with a NUL", key.Sign(t, good, change{"sub": "a\x00"}), "not valid"},
		{"about a subject with half a character", key.Sign(t, good, change{"sub": json.RawMessage(`"ada\ud83d"`)}), "not valid"},
		{"about a subject that begins with the other half", key.Sign(t, good, change{"sub": json.RawMessage(`"\udc00ada"`)}), "not valid"},
		{"signed by a stranger's key of that name", stranger.Sign(t, good), "not valid"},
		{"signed by the RSA key that names the EC one", authtest.Key{ID: "e1", Method: key.Method, Private: key.Private}.Sign(t, good), "not valid"},
		{"signed in a way that the key is not for", authtest.Key{ID: "r1", Method: jwt.SigningMethodPS256, Private: key.Private}.Sign(t, good), "not valid"},
		{"unsigned", unsigned(t, good), "not valid"},
		{"signed by a shared secret of the issuer's", hmacSigned(t, "shared", secret, good), "not valid"},
		{"signed by the public key as a secret, DER", hmacSigned(t, "r1", derOf(t, key), good), "not valid"},
		{"signed by the public key as a secret, PEM", hmacSigned(t, "r1", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: derOf(t, key)}), good), "not valid"},
		{"about a log-out", typed(t, key, "logout+jwt", good), "not valid"},
		{"with a changed payload", tampered(t, key.Sign(t, good)), "not valid"},
		{"cut off", strings.TrimRight(key.Sign(t, good), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), "not valid"},
		{"huge", key.Sign(t, good, change{"x": strings.Repeat("x", 20_000)}), "not valid"},
		{"in the other serialisation", `{"payload":"e30","signatures":[]}`, "not valid"},
		{"nonsense", "nonsense", "not valid"},
		{"nothing", "", "not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			who, _, err := issuer.Verify(t.Context(), c.token)
			wantKind(t, "Verify", err, domain.Unauthenticated)
			if who != (domain.Identity{}) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("Verify: got %+v, error %v; want no one, and %q", who, err, c.says)
			}
		})
	}
	for _, typ := range []string{"JWT", "at+jwt", "application/at+jwt"} {
		if _, _, err := issuer.Verify(t.Context(), typed(t, key, typ, good)); err != nil {
			t.Errorf("Verify of type %s: %v", typ, err)
		}
	}
}

func unsigned(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func hmacSigned(t *testing.T, kid string, key []byte, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func derOf(t *testing.T, key authtest.Key) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.Private.(*rsa.PrivateKey).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func typed(t *testing.T, key authtest.Key, typ string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(key.Method, claims)
	token.Header["kid"], token.Header["typ"] = key.ID, typ
	signed, err := token.SignedString(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// tampered returns a token with another subject.
func tampered(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"sub":"1"`, `"sub":"2"`, 1)))
	return strings.Join(parts, ".")
}

func TestRotatedKeysAreFound(t *testing.T) {
	first, second := authtest.RSA(t, "first"), authtest.EC(t, "second")
	i := authtest.StartIssuer(t, first)
	issuer, c := trusting(i)
	old, fresh := first.Sign(t, i.Claims("1", audience, noon)), second.Sign(t, i.Claims("1", audience, noon))
	if _, _, err := issuer.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	i.Rotate(second)
	if _, _, err := issuer.Verify(t.Context(), old); err != nil {
		t.Errorf("the old key before the new one is seen: %v", err)
	}
	if _, _, err := issuer.Verify(t.Context(), fresh); err != nil {
		t.Errorf("the new key: %v", err)
	}
	_, _, err := issuer.Verify(t.Context(), old)
	wantKind(t, "the key that was taken back", err, domain.Unauthenticated)
	c.advance(2 * time.Hour)
	_, _, err = issuer.Verify(t.Context(), fresh)
	wantKind(t, "the new key's token in two hours", err, domain.Unauthenticated)
}

func TestForgedKeysDoNotOverloadTheIssuer(t *testing.T) {
	key := authtest.RSA(t, "r1")
	i := authtest.StartIssuer(t, key)
	issuer, c := trusting(i)
	made, good := authtest.RSA(t, "made up").Sign(t, i.Claims("1", audience, noon)), key.Sign(t, i.Claims("1", audience, noon))
	refused := map[domain.Kind]int{}
	for range 200 {
		_, _, err := issuer.Verify(t.Context(), made)
		refused[domain.KindOf(err)]++
		if _, _, err := issuer.Verify(t.Context(), good); err != nil {
			t.Fatalf("a good token meanwhile: %v", err)
		}
	}
	if n := i.Fetches(); n > 3 || refused[domain.Unauthenticated]+refused[domain.Unavailable] != 200 {
		t.Errorf("the keys were fetched %d times for 200 tokens, refused as %v; want at most 3", n, refused)
	}
	c.advance(time.Minute)
	_, _, err := issuer.Verify(t.Context(), made)
	wantKind(t, "a minute later", err, domain.Unauthenticated)
}

func TestAnIssuerThatIsDownIsRetried(t *testing.T) {
	key := authtest.RSA(t, "r1")
	i := authtest.StartIssuer(t, key)
	i.SetDown(true)
	issuer, c := trusting(i)
	token := key.Sign(t, i.Claims("1", audience, noon))
	for range 10 {
		_, _, err := issuer.Verify(t.Context(), token)
		wantKind(t, "while the issuer is down", err, domain.Unavailable)
	}
	i.SetDown(false)
	c.advance(time.Minute)
	if _, _, err := issuer.Verify(t.Context(), token); err != nil {
		t.Errorf("after it came back: %v", err)
	}
	i.SetDown(true)
	c.advance(10 * time.Minute)
	if _, _, err := issuer.Verify(t.Context(), token); err != nil {
		t.Errorf("with a known key while it is down: %v", err)
	}
	_, _, err := issuer.Verify(t.Context(), authtest.RSA(t, "r2").Sign(t, i.Claims("1", audience, noon)))
	wantKind(t, "with an unknown key while it is down", err, domain.Unavailable)
	if _, _, err := issuer.Verify(t.Context(), token); err != nil {
		t.Errorf("with a known key after it was asked in vain: %v", err)
	}
}

func TestRunFetchesTheKeysUntilTheyAreThere(t *testing.T) {
	key := authtest.EC(t, "e1")
	i := authtest.StartIssuer(t, key)
	i.SetDown(true)
	issuer, _ := trusting(i)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := issuer.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	defer running.Wait()
	defer cancel()
	i.SetDown(false)
	for end := time.Now().Add(time.Minute); i.Fetches() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the keys are not fetched")
		}
	}
	if _, _, err := issuer.Verify(t.Context(), key.Sign(t, i.Claims("1", audience, noon))); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

// The keys must be fetched by https, or from this machine.
func TestKeysAreNotFetchedInTheClear(t *testing.T) {
	for _, c := range []struct{ name, document string }{
		{"keys by http", `{"issuer": "ISSUER", "jwks_uri": "http://keys.example/keys"}`},
		{"no keys", `{"issuer": "ISSUER"}`},
		{"another issuer", `{"issuer": "https://other.example", "jwks_uri": "ISSUER/keys"}`},
		{"no JSON", `<html>`},
		{"endless", `{"issuer": "` + strings.Repeat("x", 3<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(nil)
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(strings.ReplaceAll(c.document, "ISSUER", "http://"+r.Host)))
			})
			server.Start()
			defer server.Close()
			issuer := auth.NewIssuer(auth.IssuerConfig{URL: server.URL, Audience: audience})
			_, _, err := issuer.Verify(t.Context(), authtest.RSA(t, "r1").Sign(t, jwt.MapClaims{}))
			wantKind(t, "Verify", err, domain.Unavailable)
		})
	}
}

func TestCheckIssuerURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/tenant/": true, "http://localhost:8081": true, "http://127.0.0.1:1": true, "http://[::1]:1/x": true,
		"": false, "login.example.com": false, "http://login.example.com": false, "http://localhost.example.com": false, "https://": false,
		"https://u:p@login.example.com": false, "https://login.example.com?x=1": false, "https://login.example.com#x": false, "file:///etc/passwd": false, "ftp://localhost/": false, "%zz": false,
	} {
		if err := auth.CheckIssuerURL(url); (err == nil) != ok {
			t.Errorf("%q: got error %v, want ok %t", url, err, ok)
		}
	}
}
