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

// maxOutsideToken bounds the tokens of an outside issuer, in bytes: some carry
// all the groups that somebody is in.
const maxOutsideToken = 16 << 10

// futureLeeway is how far ahead the issuer's clock may be, as much as go-oidc
// allows for the time before which a token is not good.
const futureLeeway = 5 * time.Minute

// signatures are the ways in which an outside token may be signed: by a key of
// which only the other half is known here. A token never chooses to be checked
// by a shared secret, or not at all.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// IssuerConfig says whose tokens are good. All but the first two may be zero.
type IssuerConfig struct {
	// URL is the issuer as its tokens name it, to the letter. What it serves
	// at /.well-known/openid-configuration below it says where its keys are.
	URL string
	// Audience is what the tokens must be for.
	Audience string
	Now      func() time.Time
	Client   *http.Client // is called for the keys
	Logger   *slog.Logger
}

// Issuer verifies the tokens of an outside issuer, by OpenID Connect.
type Issuer struct {
	url    string
	config *oidc.Config
	keys   *keys
}

// NewIssuer makes an Issuer. It calls nobody: the keys are fetched by Run, or
// when the first token comes.
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

// CheckIssuerURL says what is wrong with an issuer's URL. Whoever can change
// what it answers can be anybody here, so it must be https, or a server on
// this machine.
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

// Run keeps the keys up to date until ctx ends: what the issuer takes back is
// noticed within five minutes. One that cannot be reached is tried again, and
// meanwhile the keys that are known stay good.
func (i *Issuer) Run(ctx context.Context) error { return i.keys.run(ctx) }

// Verify gives the identity that a token is about, and when it expires. Three
// things might happen:
//
//  1. The token is good.
//  2. It is not, or is no longer: an error of kind Unauthenticated.
//  3. Its key is not known, and the issuer cannot be asked now: an error of
//     kind Unavailable.
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
		return domain.Identity{}, time.Time{}, invalidOutsideToken()
	}
	who, err := domain.ParseIdentity(verified.Issuer, verified.Subject)
	if err != nil {
		return domain.Identity{}, time.Time{}, invalidOutsideToken()
	}
	return who, verified.Expiry, nil
}

func invalidOutsideToken() error {
	return domain.Errorf(domain.Unauthenticated, "the token is not valid here: its signature, its issuer, its audience or its time is wrong; get a new one from its issuer")
}

// candidates gives the keys that may have signed a token: the one that it
// names, or all for a token that names none.
func (i *Issuer) candidates(ctx context.Context, token string) (keySet, error) {
	if len(token) > maxOutsideToken || !readOneWay(token) {
		return nil, invalidOutsideToken()
	}
	jws, err := jose.ParseSignedCompact(token, signatures)
	if err != nil || len(jws.Signatures) != 1 || !isIdentity(jws.Signatures[0].Protected) {
		return nil, invalidOutsideToken()
	}
	return i.keys.find(ctx, jws.Signatures[0].Protected.KeyID)
}

// isIdentity says whether a token is of a type that says who is calling.
// Issuers sign other things by the same keys, for example the news that
// somebody has logged out.
func isIdentity(header jose.Header) bool {
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return slices.Contains([]string{"", "jwt", "at+jwt"}, typ)
}

// keySet are an issuer's keys.
type keySet []jose.JSONWebKey

var _ oidc.KeySet = keySet(nil)

// VerifySignature implements oidc.KeySet: it gives what one of the keys signed,
// in the way that the key is for if it says so.
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
	return nil, errors.New("no key of the issuer's verifies the signature")
}

// wholeClaims refuses claims with half a character, because the decoder would
// take two subjects that differ in one for the same person.
func wholeClaims(payload []byte) ([]byte, error) {
	if !domain.WellFormedJSON(payload) {
		return nil, errors.New("the claims are not valid UTF-8, or escape half a character")
	}
	return payload, nil
}
