package auth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

const (
	ann = domain.UserID("user_01h455vb4pex5vsknk084sn02q")
	bob = domain.UserID("user_01h455vb4pex5vsknk084sn02r")

	carol = domain.UserID("user_01h455vb4pex5vsknk084sn02s")
)

// secret signs the tokens of these tests.
var secret = []byte("0123456789abcdef0123456789abcdef")

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// tokensAt returns Tokens with a secret, at a time.
func tokensAt(t testing.TB, secret []byte, now time.Time) *auth.Tokens {
	t.Helper()
	tokens, err := auth.NewTokens(secret, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func issue(t testing.TB, tokens *auth.Tokens, user domain.UserID) string {
	t.Helper()
	token, err := tokens.Issue(auth.Bearer{User: user})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantKind(t *testing.T, what string, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("%s: got error %v of kind %d, want kind %d", what, err, domain.KindOf(err), want)
	}
}

func TestTokensNeedALongSecret(t *testing.T) {
	for _, n := range []int{0, 1, 31} {
		if _, err := auth.NewTokens(make([]byte, n), time.Now); err == nil {
			t.Errorf("NewTokens with %d bytes: got no error", n)
		}
	}
	if _, err := auth.NewTokens(make([]byte, auth.MinSecret), time.Now); err != nil {
		t.Errorf("NewTokens with 32 bytes: %v", err)
	}
}

func TestATokenIsValidForItsLifetime(t *testing.T) {
	token := issue(t, tokensAt(t, secret, noon), ann)
	for _, c := range []struct {
		name string
		at   time.Duration
		ok   bool
		says string
	}{
		{"at once", 0, true, ""},
		{"to a server whose clock is a little behind", -20 * time.Second, true, ""},
		{"to its last second", auth.TokenLifetime - time.Second, true, ""},
		{"to a server whose clock is a little ahead", auth.TokenLifetime + 20*time.Second, true, ""},
		{"and not longer", auth.TokenLifetime + time.Minute, false, "expired"},
		{"and not a year later", 365 * 24 * time.Hour, false, "expired"},
		{"and not before it was issued", -time.Hour, false, "not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tokensAt(t, secret, noon.Add(c.at)).Verify(token)
			if c.ok {
				if err != nil || got != ann {
					t.Errorf("got %q, error %v; want %q", got, err, ann)
				}
				return
			}
			wantKind(t, "Verify", err, domain.Unauthenticated)
			if got != "" || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, message %q; want one with %q", got, err, c.says)
			}
		})
	}
}

// claims returns the claims of a valid token, which tests then make invalid.
func claims() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": "chirp", "aud": []string{"chirp"}, "sub": string(ann),
		"iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(),
	}
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestVerifyDependsOnEveryClaim(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	if got, err := tokens.Verify(sign(t, jwt.SigningMethodHS256, secret, claims())); err != nil || got != ann {
		t.Fatalf("Verify of the unspoilt claims: got %q, error %v; want %q", got, err, ann)
	}
	for _, c := range []struct {
		name, claim string
		value       any // nil removes the claim
	}{
		{"another issuer", "iss", "chirper"},
		{"no issuer", "iss", nil},
		{"another audience", "aud", []string{"elsewhere"}},
		{"no audience", "aud", nil},
		{"expired", "exp", noon.Add(-time.Hour).Unix()},
		{"an expiry that is a text", "exp", "tomorrow"},
		{"no expiry", "exp", nil},
		{"issued tomorrow", "iat", noon.Add(24 * time.Hour).Unix()},
		{"not good before tomorrow", "nbf", noon.Add(24 * time.Hour).Unix()},
		{"no subject", "sub", nil},
		{"an empty subject", "sub", ""},
		{"a subject that is a name", "sub", "ann"},
		{"a subject that is a chirp", "sub", "chirp_01h455vb4pex5vsknk084sn02q"},
		{"a subject that is a number", "sub", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			spoilt := claims()
			if spoilt[c.claim] = c.value; c.value == nil {
				delete(spoilt, c.claim)
			}
			got, err := tokens.Verify(sign(t, jwt.SigningMethodHS256, secret, spoilt))
			wantKind(t, "Verify", err, domain.Unauthenticated)
			if got != "" {
				t.Errorf("got user %q beside the error", got)
			}
		})
	}
}

func TestVerifyRefusesOtherSignatures(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := issue(t, tokensAt(t, secret, noon), ann)
	forBob := strings.Split(issue(t, tokensAt(t, bytes.Repeat([]byte("x"), 32), noon), bob), ".")
	parts := strings.Split(good, ".")
	for _, c := range []struct{ name, token string }{
		{"another secret's", issue(t, tokensAt(t, bytes.Repeat([]byte("x"), 32), noon), ann)},
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims())},
		{"RS256", sign(t, jwt.SigningMethodRS256, rsaKey, claims())},
		{"HS512 with our secret", sign(t, jwt.SigningMethodHS512, secret, claims())},
		{"HS384 with our secret", sign(t, jwt.SigningMethodHS384, secret, claims())},
		{"another token's claims", parts[0] + "." + forBob[1] + "." + parts[2]},
		{"a changed signature", parts[0] + "." + parts[1] + "." + flip(parts[2])},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"a signature with something after it", good + "x"},
		{"a padded signature", good + "="},
		{"a signature written in another way", good[:len(good)-1] + respell(good[len(good)-1])},
		{"more claims than we make", sign(t, jwt.SigningMethodHS256, secret, bigClaims())},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", good + "." + parts[2]},
		{"no token", ""},
		{"no JSON", "a.b.c"},
		{"a huge token", strings.Repeat("x", 1<<20)},
		{"invalid UTF-8", "\xff.\xff.\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tokensAt(t, secret, noon).Verify(c.token)
			wantKind(t, "Verify", err, domain.Unauthenticated)
			if got != "" {
				t.Errorf("got user %q beside the error", got)
			}
		})
	}
}

// signedText returns a token of the exact text of its claims, with a valid
// signature.
func signedText(t *testing.T, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.SigningMethodHS256.Sign(text, secret)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAnAmbiguousTokenIsNotValid(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	const header = `{"alg":"HS256","typ":"JWT"}`
	good := `{"iss":"chirp","aud":["chirp"],"sub":"` + string(ann) + `","iat":1740830400,"exp":1740834000}`
	for _, c := range []struct{ name, header, claims string }{
		{"two subjects", header, strings.Replace(good, `"sub"`, `"sub":"`+string(bob)+`","sub"`, 1)},
		{"a Sub as well", header, strings.Replace(good, `"sub"`, `"Sub":"`+string(bob)+`","sub"`, 1)},
		{"a Sub in its place", header, strings.Replace(good, `"sub"`, `"Sub"`, 1)},
		{"a ſub as well", header, strings.Replace(good, `"sub"`, `"ſub":"`+string(bob)+`","sub"`, 1)},
		{"two times to expire", header, strings.Replace(good, `"exp"`, `"exp":1,"exp"`, 1)},
		{"an EXP as well", header, strings.Replace(good, `"exp"`, `"EXP":1840834000,"exp"`, 1)},
		{"two methods", `{"alg":"none","alg":"HS256"}`, good},
		{"something after the claims", header, good + "}"},
	} {
		_, err := tokens.Verify(signedText(t, c.header, c.claims))
		wantKind(t, c.name, err, domain.Unauthenticated)
	}
	if got, err := tokens.Verify(signedText(t, header, good)); err != nil || got != ann {
		t.Errorf("as it should be: got %s, %v, want %s", got, err, ann)
	}
}

// respell returns another base64 digit for the same four bits at the end of 32
// bytes.
func respell(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return digits[strings.IndexByte(digits, digit)|1:][:1]
}

// bigClaims returns valid claims that are too large.
func bigClaims() jwt.MapClaims {
	big := claims()
	big["more"] = strings.Repeat("x", 5000)
	return big
}

// flip changes the first character of a base64 text.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestAuthenticateReadsTheHeader(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	good := issue(t, tokens, ann)
	for _, c := range []struct {
		name, header string
		user         domain.UserID
		refused      bool
	}{
		{"none is anonymous", "", "", false},
		{"white space is anonymous", "  ", "", false},
		{"a bearer", "Bearer " + good, ann, false},
		{"a bearer in lower case", "bearer " + good, ann, false},
		{"a bearer in upper case with white space", " BEARER   " + good + " ", ann, false},
		{"a token alone", good, "", true},
		{"a scheme alone", "Bearer", "", true},
		{"a scheme and white space", "Bearer  ", "", true},
		{"another scheme", "Basic " + good, "", true},
		{"a scheme that begins alike", "BearerX " + good, "", true},
		{"two tokens", "Bearer " + good + " " + good, "", true},
		{"a bad token", "Bearer x.y.z", "", true},
		{"a foreign token", "Bearer " + issue(t, tokensAt(t, bytes.Repeat([]byte("x"), 32), noon), ann), "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, err := auth.Authenticate(t.Context(), tokens, c.header)
			if c.refused {
				wantKind(t, "Authenticate", err, domain.Unauthenticated)
				return
			}
			if user, ok := auth.Caller(ctx); err != nil || user != c.user || ok != (c.user != "") {
				t.Errorf("got %q, %t, error %v; want %q", user, ok, err, c.user)
			}
		})
	}
}

func TestCaller(t *testing.T) {
	ctx := t.Context()
	if got, ok := auth.Caller(ctx); ok || got != "" {
		t.Errorf("Caller of a context without one: got %q, %t; want none", got, ok)
	}
	if got, ok := auth.Caller(auth.WithCaller(ctx, "")); ok || got != "" {
		t.Errorf("Caller of a context with an empty one: got %q, %t; want none", got, ok)
	}
	ctx = auth.WithCaller(ctx, ann)
	if got, ok := auth.Caller(ctx); !ok || got != ann {
		t.Errorf("Caller: got %q, %t; want %q", got, ok, ann)
	}
	if got, _ := auth.Caller(auth.WithCaller(ctx, bob)); got != bob {
		t.Errorf("Caller of the inner context: got %q, want %q", got, bob)
	}
}

func FuzzVerify(f *testing.F) {
	tokens := tokensAt(f, secret, noon)
	good := issue(f, tokens, ann)
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if user, err := tokens.Verify(token); err == nil && token != good {
			t.Fatalf("Verify accepted %q as %s", token, user)
		}
	})
}
