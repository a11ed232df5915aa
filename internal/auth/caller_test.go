package auth_test

import (
	"context"
	"errors"
	"testing"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

// accounts are the users of external identities, by subject.
type accounts map[string]domain.UserID

func (a accounts) find(_ context.Context, who domain.Identity) (domain.UserID, error) {
	if who.Subject == "unlucky" {
		return "", errStore
	}
	if user, ok := a[who.Subject]; ok {
		return user, nil
	}
	return "", domain.Errorf(domain.NotFound, "no account")
}

func TestAuthenticateDistinguishesCallers(t *testing.T) {
	key := authtest.RSA(t, "r1")
	i := authtest.StartIssuer(t, key)
	tokens, own := tokensAt(t, secret, noon), tokensAt(t, secret, noon)
	issuer, _ := trusting(i)
	tokens.Trust(issuer, accounts{"ann@issuer": ann}.find)
	external := func(subject string) string { return "Bearer " + key.Sign(t, i.Claims(subject, audience, noon)) }
	for _, c := range []struct {
		name, header string
		tokens       *auth.Tokens
		user         domain.UserID
		subject      string
		kind         domain.Kind // of the error, 0 for none
	}{
		{"no token", "", tokens, "", "", 0},
		{"a user by a token issued here", "Bearer " + issue(t, own, bob), tokens, bob, "", 0},
		{"a user with an external token", external("ann@issuer"), tokens, ann, "ann@issuer", 0},
		{"an external identity without an account", external("bob@issuer"), tokens, "", "bob@issuer", 0},
		{"a subject that looks like a user", external(string(ann)), tokens, "", string(ann), 0},
		{"an external token where none is trusted", external("ann@issuer"), own, "", "", domain.Unauthenticated},
		{"our own claims signed by the issuer", "Bearer " + key.Sign(t, i.Claims(string(ann), "chirp", noon), map[string]any{"iss": "chirp"}), tokens, "", "", domain.Unauthenticated},
		{"the issuer's claims signed by our secret", "Bearer " + hmacSigned(t, "r1", secret, i.Claims("ann@issuer", audience, noon)), tokens, "", "", domain.Unauthenticated},
		{"no bearer", "Basic YTpi", tokens, "", "", domain.Unauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, err := auth.Authenticate(t.Context(), c.tokens, c.header)
			if (err != nil) != (c.kind != 0) || err != nil && domain.KindOf(err) != c.kind {
				t.Fatalf("got error %v, want kind %d", err, c.kind)
			}
			user, ok := auth.Caller(ctx)
			who, external := auth.Identity(ctx)
			if user != c.user || ok != (c.user != "") || who.Subject != c.subject || external != (c.subject != "") {
				t.Errorf("got user %q and identity %+v, want %q and %q", user, who, c.user, c.subject)
			}
		})
	}
	if _, err := auth.Authenticate(t.Context(), tokens, external("unlucky")); !errors.Is(err, errStore) {
		t.Errorf("while the log is away: got error %v, want %v", err, errStore)
	}
	if err := auth.Revalidate(t.Context(), tokens, external("unlucky")); err != nil {
		t.Errorf("Revalidate while the log is away: got error %v, want none", err)
	}
	for header, good := range map[string]bool{external("ann@issuer"): true, external("bob@issuer"): true, "Bearer x": false, "": true} {
		if err := auth.Revalidate(t.Context(), tokens, header); (err == nil) != good {
			t.Errorf("Revalidate %.20s: got error %v, want good %t", header, err, good)
		}
	}
}

func TestExpiresIsWhatTheTokenSays(t *testing.T) {
	tokens := tokensAt(t, secret, noon)
	ctx, err := auth.Authenticate(t.Context(), tokens, "Bearer "+issue(t, tokens, ann))
	if at, ok := auth.Expires(ctx); err != nil || !ok || !at.Equal(noon.Add(auth.TokenLifetime)) {
		t.Errorf("got %v, %t, error %v; want a token's lifetime after noon", at, ok, err)
	}
	for _, header := range []string{"", "Bearer", "Bearer nonsense"} {
		ctx, _ := auth.Authenticate(t.Context(), tokens, header)
		if at, ok := auth.Expires(ctx); ok {
			t.Errorf("of %q: got %v, want none", header, at)
		}
	}
}
