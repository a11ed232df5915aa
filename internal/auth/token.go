package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/internal/domain"
)

// TokenLifetime is how long a token is valid after it was issued.
const TokenLifetime = 30 * 24 * time.Hour

// MinSecret is the minimum length of a token secret in bytes. It is the length of
// the signing hash, because a shorter secret would be easier to guess than a
// signature.
const MinSecret = 32

const (
	tokenParty  = "chirp"          // issuer and audience
	tokenLeeway = 30 * time.Second // for clocks that differ
	maxToken    = 4096             // bytes; tokens issued here have fewer than 400
)

// Tokens issues and verifies the signed tokens (JWT, HMAC-SHA256) that identify a
// caller, and verifies those of an external issuer if it trusts one. It stores no
// tokens: a signature is good until the token expires or the secret changes. Whether
// its bearer may still call is up to Sessions.
type Tokens struct {
	secret   []byte
	now      func() time.Time
	parser   *jwt.Parser
	verified *verified

	issuer   *Issuer // nil if only the tokens issued here are valid
	find     FindUser
	sessions *Sessions // set by NewSessions
}

// FindUser returns the user of an external identity, or an error of kind NotFound.
type FindUser func(ctx context.Context, who domain.Identity) (domain.UserID, error)

// Trust accepts an external issuer's tokens from now on. It must be called before
// the first token is verified.
func (t *Tokens) Trust(issuer *Issuer, find FindUser) { t.issuer, t.find = issuer, find }

// Bearer is what a valid token says about its bearer.
type Bearer struct {
	User     domain.UserID   // empty for an external identity without an account
	Identity domain.Identity // zero for a token issued here
	Issued   time.Time       // zero for an external token
	Expires  time.Time

	// Session is that of a token issued here. Versions of this program before there
	// were sessions issued tokens without one, whose epoch is 0.
	Session SessionID
	Epoch   int64
}

// claims are those of the tokens issued here.
type claims struct {
	jwt.RegisteredClaims

	Session string `json:"sid,omitempty"`
	Epoch   int64  `json:"epoch,omitempty"` // the user's when the session started
}

// NewTokens returns Tokens that sign with a secret of at least MinSecret bytes.
func NewTokens(secret []byte, now func() time.Time) (*Tokens, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("token secret has %d bytes; it must have at least %d", len(secret), MinSecret)
	}
	return &Tokens{
		secret:   secret,
		now:      now,
		verified: newVerified(),
		parser: jwt.NewParser(
			// Only this method: a token must not choose how it is verified.
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithIssuer(tokenParty),
			jwt.WithAudience(tokenParty),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(tokenLeeway),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(now),
		),
	}, nil
}

// Issue returns a token that says what a bearer of a token issued here is. It is
// valid for TokenLifetime from Issued, which is now if it is zero.
func (t *Tokens) Issue(b Bearer) (string, error) {
	if b.Issued.IsZero() {
		b.Issued = t.now()
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenParty,
			Audience:  jwt.ClaimStrings{tokenParty},
			Subject:   string(b.User),
			IssuedAt:  jwt.NewNumericDate(b.Issued),
			ExpiresAt: jwt.NewNumericDate(b.Issued.Add(TokenLifetime)),
		},
		Session: b.Session.String(), Epoch: b.Epoch,
	})
	signed, err := token.SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// Read verifies a token issued here or by the external issuer, and returns what it
// says. The error is of kind Unauthenticated if the token is not valid, and
// Unavailable if that cannot be determined now.
func (t *Tokens) Read(ctx context.Context, token string) (Bearer, error) {
	hash := sha256.Sum256([]byte(token))
	if b, ok := t.verified.get(hash); ok && b.validAt(t.now()) {
		return b, nil
	}
	if !t.external(token) {
		return t.readOwn(token, hash)
	}
	who, expires, err := t.issuer.Verify(ctx, token)
	if err != nil {
		return Bearer{}, err
	}
	user, err := t.find(ctx, who)
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return Bearer{}, fmt.Errorf("find the user of an external identity: %w", err)
	}
	return Bearer{User: user, Identity: who, Expires: expires}, nil
}

// external reports whether a token claims to come from the external issuer. That
// only decides how it is verified.
func (t *Tokens) external(token string) bool {
	if t.issuer == nil || len(token) > maxExternalToken {
		return false
	}
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	return claims.Issuer == t.issuer.url && (err == nil || errors.Is(err, jwt.ErrTokenUnverifiable))
}

// readOwn is Read for a token issued here, which it remembers by its hash if it is valid.
func (t *Tokens) readOwn(token string, hash [sha256.Size]byte) (Bearer, error) {
	if len(token) > maxToken {
		return Bearer{}, domain.Errorf(domain.Unauthenticated, "the token is too long to have been issued here; log in again")
	}
	if !unambiguous(token) {
		return Bearer{}, invalidToken()
	}
	var said claims
	_, err := t.parser.ParseWithClaims(token, &said, func(*jwt.Token) (any, error) { return t.secret, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Bearer{}, domain.Errorf(domain.Unauthenticated, "the token has expired; log in again")
	}
	if err != nil {
		return Bearer{}, invalidToken()
	}
	b, err := said.bearer()
	if err != nil {
		return Bearer{}, invalidToken()
	}
	if said.NotBefore == nil {
		t.verified.add(hash, b)
	}
	return b, nil
}

func (c claims) bearer() (b Bearer, err error) {
	b = Bearer{Expires: c.ExpiresAt.Time, Epoch: c.Epoch}
	if b.User, err = domain.ParseUserID(c.Subject); err != nil {
		return Bearer{}, err
	}
	if c.IssuedAt != nil {
		b.Issued = c.IssuedAt.Time
	}
	if c.Session != "" {
		b.Session, err = ParseSessionID(c.Session)
	}
	return b, err
}

func invalidToken() error {
	return domain.Errorf(domain.Unauthenticated, "the token is not valid here; log in again")
}

// Revalidate returns an error if a token that was valid no longer is. It returns nil
// if that cannot be determined now. ctx is the connection's, whose client is one who
// uses the session.
func Revalidate(ctx context.Context, tokens *Tokens, header string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := Authenticate(ctx, tokens, header)
	if err != nil && domain.KindOf(err) != domain.Unauthenticated {
		return nil
	}
	return err
}

func bearerToken(header string) (token string, present bool, err error) {
	header = strings.TrimSpace(header)
	if header == "" {
		return "", false, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t") {
		return "", true, domain.Errorf(domain.Unauthenticated, `the authorization must be "Bearer" and a token`)
	}
	return token, true, nil
}
