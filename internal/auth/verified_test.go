package auth_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

func TestARememberedTokenIsValidAsLongAsAnother(t *testing.T) {
	now := noon
	tokens, err := auth.NewTokens(secret, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	token := issue(t, tokens, ann)
	for _, c := range []struct {
		at time.Duration
		ok bool
	}{
		{0, true}, {-29 * time.Second, true}, {-31 * time.Second, false}, {time.Hour, true},
		{auth.TokenLifetime + 29*time.Second, true}, {auth.TokenLifetime + 31*time.Second, false}, {time.Hour, true},
	} {
		now = noon
		if _, err := tokens.Read(t.Context(), token); err != nil || tokens.Remembered() != 1 {
			t.Fatalf("got error %v, remembered %d, want 1", err, tokens.Remembered())
		}
		now = noon.Add(c.at)
		_, err := tokens.Read(t.Context(), token)
		_, fresh := tokensAt(t, secret, now).Read(t.Context(), token)
		if (err == nil) != c.ok || (fresh == nil) != c.ok {
			t.Errorf("after %s: got error %v, at a server that does not remember it %v, want valid: %t", c.at, err, fresh, c.ok)
		}
		if !c.ok && (domain.KindOf(err) != domain.Unauthenticated || err.Error() != fresh.Error()) {
			t.Errorf("after %s: got %v, want %v", c.at, err, fresh)
		}
	}
}

func TestOnlyTheSameTokenIsRemembered(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	token := issue(t, tokens, ann)
	if user, err := tokens.Verify(token); user != ann || err != nil {
		t.Fatalf("got %s, error %v", user, err)
	}
	for _, other := range []string{token[:len(token)-1], token + "A", strings.ToUpper(token), " " + token, issue(t, tokensAt(t, []byte(strings.Repeat("x", 32)), noon), ann)} {
		if _, err := tokens.Verify(other); err == nil {
			t.Errorf("%q is valid", other)
		}
	}
	if user, err := tokens.Verify(issue(t, tokens, bob)); user != bob || err != nil {
		t.Errorf("got %s, error %v, want %s", user, err, bob)
	}
	if got := tokens.Remembered(); got != 2 {
		t.Errorf("remembered %d tokens, want the 2 that are valid", got)
	}
}

func TestATokenThatIsNotValidYetIsNotRemembered(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	said := jwt.MapClaims{"iss": "chirp", "aud": "chirp", "sub": string(ann), "exp": noon.Add(time.Hour).Unix(), "nbf": noon.Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, said).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	if user, err := tokens.Verify(token); user != ann || err != nil || tokens.Remembered() != 0 {
		t.Errorf("got %s, error %v, remembered %d, want none", user, err, tokens.Remembered())
	}
}

func TestRememberedTokensAreBounded(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	for range auth.MaxVerified + 10 {
		var session auth.SessionID
		_, _ = rand.Read(session[:])
		token, err := tokens.Issue(auth.Bearer{User: ann, Session: session})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Verify(token); err != nil {
			t.Fatal(err)
		}
	}
	if got := tokens.Remembered(); got != auth.MaxVerified {
		t.Errorf("remembered %d tokens, want %d", got, auth.MaxVerified)
	}
}

func BenchmarkRead(b *testing.B) {
	tokens := tokensAt(b, secret, noon)
	token := issue(b, tokens, ann)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Read(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
