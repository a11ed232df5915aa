package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"chirp/internal/domain"
)

// maxExternalToken bounds the size of an external issuer's tokens, in bytes. Some
// list all groups of a user.
const maxExternalToken = 16 << 10

// futureLeeway is how far ahead the issuer's clock may be. go-oidc allows as much
// for the time before which a token is not valid.
const futureLeeway = 5 * time.Minute

// signatures are the algorithms that an external token may be signed with. All use
// a private key of the issuer's: a token must not be able to choose verification
// with a shared secret, or none.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// IssuerConfig says which external tokens are valid. URL and Audience are required.
type IssuerConfig struct {
	// URL must equal the issuer in the tokens. The document at
	// /.well-known/openid-configuration below it says where the keys are.
	URL string
	// Audience must be among the audiences of a token.
	Audience string
	Now      func() time.Time
	Client   *http.Client // fetches the keys
	Logger   *slog.Logger
}

// Issuer verifies the tokens of an external OpenID Connect issuer.
type Issuer struct {
	url    string
	config *oidc.Config
	keys   *keys
}

// NewIssuer returns an Issuer. It makes no request; Run or the first token fetches
// the keys.
func NewIssuer(cfg IssuerConfig) *Issuer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: fetchTimeout}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	names := make([]string, len(signatures))
	for i, s := range signatures {
		names[i] = string(s)
	}
	return &Issuer{
		url: cfg.URL,
		config: &oidc.Config{
			ClientID: cfg.Audience, SupportedSigningAlgs: names,
			Now: func() time.Time { return cfg.Now().Add(-tokenLeeway) },
		},
		keys: newKeys(cfg),
	}
}

// CheckIssuerURL returns an error if an issuer's URL is not acceptable. A party that
// can change the answers of that URL can log in as any user, so it must be https or
// a server on this machine.
func CheckIssuerURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not a URL such as https://login.example.com", raw)
	}
	return checkScheme(u)
}

func checkScheme(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q must be https", u)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Run keeps the keys up to date until ctx ends. It notices within five minutes that
// the issuer revoked a key. While the issuer cannot be reached, Run retries and the
// known keys stay valid.
func (i *Issuer) Run(ctx context.Context) error { return i.keys.run(ctx) }

// Verify returns the identity that a token identifies, and when the token expires.
// Three things might happen:
//
//  1. The token is valid.
//  2. It is not, or no longer: the error is of kind Unauthenticated.
//  3. Its key is not known and cannot be fetched now: the error is of kind
//     Unavailable.
func (i *Issuer) Verify(ctx context.Context, token string) (domain.Identity, time.Time, error) {
	candidates, err := i.candidates(ctx, token)
	if err != nil {
		return domain.Identity{}, time.Time{}, err
	}
	verified, err := oidc.NewVerifier(i.url, candidates, i.config).Verify(ctx, token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired) && !expired.Expiry.IsZero():
		return domain.Identity{}, time.Time{}, domain.Errorf(domain.Unauthenticated, "the token has expired; get a new one from its issuer")
	case err != nil || verified.IssuedAt.After(i.config.Now().Add(futureLeeway)):
		return domain.Identity{}, time.Time{}, invalidExternalToken()
	}
	who, err := domain.ParseIdentity(verified.Issuer, verified.Subject)
	if err != nil {
		return domain.Identity{}, time.Time{}, invalidExternalToken()
	}
	return who, verified.Expiry, nil
}

func invalidExternalToken() error {
	return domain.Errorf(domain.Unauthenticated, "the token is not valid here: its signature, its issuer, its audience or its time is wrong; get a new one from its issuer")
}

// candidates returns the keys that may have signed a token: the key that the token
// names, or all keys if it names none.
func (i *Issuer) candidates(ctx context.Context, token string) (keySet, error) {
	if len(token) > maxExternalToken || !unambiguous(token) {
		return nil, invalidExternalToken()
	}
	jws, err := jose.ParseSignedCompact(token, signatures)
	if err != nil || len(jws.Signatures) != 1 || !identifiesCaller(jws.Signatures[0].Protected) {
		return nil, invalidExternalToken()
	}
	return i.keys.find(ctx, jws.Signatures[0].Protected.KeyID)
}

// identifiesCaller reports whether a token is of a type that identifies a caller.
// Issuers sign other tokens with the same keys, such as logout tokens.
func identifiesCaller(header jose.Header) bool {
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return slices.Contains([]string{"", "jwt", "at+jwt"}, typ)
}

// keySet is a set of an issuer's keys.
type keySet []jose.JSONWebKey

var _ oidc.KeySet = keySet(nil)

// VerifySignature implements oidc.KeySet. It returns the payload if one of the keys
// signed it, with the key's own algorithm if the key has one.
func (s keySet) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, signatures)
	if err != nil {
		return nil, fmt.Errorf("parse the token: %w", err)
	}
	for _, key := range s {
		if key.Algorithm != "" && key.Algorithm != jws.Signatures[0].Protected.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return wholeClaims(payload)
		}
	}
	return nil, errors.New("none of the issuer's keys verifies the signature")
}

// wholeClaims refuses claims that are not valid UTF-8 or escape a lone surrogate,
// because the decoder would replace it and so make different subjects equal.
func wholeClaims(payload []byte) ([]byte, error) {
	if !domain.WellFormedJSON(payload) {
		return nil, errors.New("the claims are not valid UTF-8, or escape a lone surrogate")
	}
	return payload, nil
}
