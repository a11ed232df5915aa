package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Issuer is a local OpenID Connect issuer for tests. It serves a discovery document
// and its keys.
type Issuer struct {
	URL string

	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	keys     []Key
	extra    []any // added to the key set as they are
	down     bool
	requests map[string]int // by path
}

// Key is a key that signs tokens.
type Key struct {
	ID      string
	Method  jwt.SigningMethod
	Private crypto.Signer
}

// RSA returns a new key for RS256.
func RSA(t testing.TB, id string) Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return Key{id, jwt.SigningMethodRS256, private}
}

// EC returns a new key for ES256.
func EC(t testing.TB, id string) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{id, jwt.SigningMethodES256, private}
}

// StartIssuer starts an issuer with some keys, which runs until the test ends.
func StartIssuer(t testing.TB, keys ...Key) *Issuer {
	t.Helper()
	i := &Issuer{t: t, keys: keys, requests: map[string]int{}}
	i.server = httptest.NewServer(i)
	i.URL = i.server.URL
	t.Cleanup(func() {
		i.server.CloseClientConnections()
		i.server.Close()
	})
	return i
}

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests[r.URL.Path]++
	var answer any
	switch {
	case i.down:
		http.Error(w, "down", http.StatusBadGateway)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/authorize",
			"id_token_signing_alg_values_supported": []string{"RS256", "none", "HS256"}} // which clients must not believe
	case r.URL.Path == "/keys":
		list := append([]any{}, i.extra...)
		for _, key := range i.keys {
			list = append(list, jose.JSONWebKey{Key: key.Private.Public(), KeyID: key.ID, Algorithm: key.Method.Alg(), Use: "sig"})
		}
		answer = map[string]any{"keys": list}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		i.t.Error(err)
	}
}

// Rotate replaces the keys.
func (i *Issuer) Rotate(keys ...Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Add adds key to the key set as it is.
func (i *Issuer) Add(key any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.extra = append(i.extra, key)
}

// SetDown sets whether every response is an error.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Fetches returns how often the keys were requested.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests["/keys"]
}

// Claims returns the claims of a valid token for an audience, issued at a time for
// an hour.
func (i *Issuer) Claims(subject, audience string, at time.Time) jwt.MapClaims {
	return jwt.MapClaims{"iss": i.URL, "sub": subject, "aud": audience, "iat": at.Unix(), "exp": at.Add(time.Hour).Unix()}
}

// Sign returns a token with the claims after some changes, of which nil removes a
// claim.
func (k Key) Sign(t testing.TB, claims jwt.MapClaims, changes ...map[string]any) string {
	t.Helper()
	claims = maps.Clone(claims)
	for _, change := range changes {
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
	}
	token := jwt.NewWithClaims(k.Method, claims)
	if k.ID != "" {
		token.Header["kid"] = k.ID
	}
	signed, err := token.SignedString(k.Private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
