package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"chirp/internal/domain"
)

// TokenLifetime is how long a token is good for after it was issued.
const TokenLifetime = 30 * 24 * time.Hour

// MinSecret is the fewest bytes a token secret may have: as many as the hash
// that signs has, for a shorter one would be easier to guess than the
// signature.
const MinSecret = 32

const (
	tokenParty  = "chirp"          // issuer and audience
	tokenLeeway = 30 * time.Second // for clocks that disagree
	maxToken    = 4096             // bytes; ours have fewer than 400
)

// Tokens issues and verifies the signed tokens (JWT, HMAC-SHA256) by which a
// caller says who is calling, and verifies those of an outside issuer if it
// trusts one. Nothing is kept of them: a token is good until it expires, or
// until the secret is changed.
type Tokens struct {
	secret []byte
	now    func() time.Time
	parser *jwt.Parser

	issuer *Issuer // nil if only the tokens issued here are good
	find   FindUser
}

// FindUser gives the user that an outside identity has here, or an error of
// kind NotFound.
type FindUser func(ctx context.Context, who domain.Identity) (domain.UserID, error)

// Trust takes an outside issuer's tokens for good from now on. It is to be
// called before the first token is verified.
func (t *Tokens) Trust(issuer *Issuer, find FindUser) { t.issuer, t.find = issuer, find }

// Bearer is what a good token says about whoever brings it.
type Bearer struct {
	User     domain.UserID   // empty for an outside identity without an account
	Identity domain.Identity // the zero one for a token issued here
	Expires  time.Time
}

// NewTokens makes tokens of a secret of at least MinSecret bytes.
func NewTokens(secret []byte, now func() time.Time) (*Tokens, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("token secret has %d bytes, it must have at least %d", len(secret), MinSecret)
	}
	return &Tokens{
		secret: secret,
		now:    now,
		parser: jwt.NewParser(
			// Only this method: a token must not choose how it is checked.
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

// Issue gives a token that says its bearer is a user, for TokenLifetime.
func (t *Tokens) Issue(user domain.UserID) (string, error) {
	now := t.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    tokenParty,
		Audience:  jwt.ClaimStrings{tokenParty},
		Subject:   string(user),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(TokenLifetime)),
	})
	signed, err := token.SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// Verify gives the user that a token was issued to here, or an error of kind
// Unauthenticated. It does not say whether the user still exists in this log.
func (t *Tokens) Verify(token string) (domain.UserID, error) {
	bearer, err := t.readOwn(token)
	return bearer.User, err
}

// Read gives what a token says, be it one of ours or an outside issuer's. The
// error is of kind Unauthenticated if it is not good, and Unavailable if that
// cannot be told now.
func (t *Tokens) Read(ctx context.Context, token string) (Bearer, error) {
	if !t.outside(token) {
		return t.readOwn(token)
	}
	who, expires, err := t.issuer.Verify(ctx, token)
	if err != nil {
		return Bearer{}, err
	}
	user, err := t.find(ctx, who)
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return Bearer{}, fmt.Errorf("find the user of an outside identity: %w", err)
	}
	return Bearer{User: user, Identity: who, Expires: expires}, nil
}

// outside says whether a token gives itself out as the outside issuer's. That
// only decides who verifies it.
func (t *Tokens) outside(token string) bool {
	if t.issuer == nil || len(token) > maxOutsideToken {
		return false
	}
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	return claims.Issuer == t.issuer.url && (err == nil || errors.Is(err, jwt.ErrTokenUnverifiable))
}

func (t *Tokens) readOwn(token string) (Bearer, error) {
	if len(token) > maxToken {
		return Bearer{}, domain.Errorf(domain.Unauthenticated, "the token is too long to be one of ours; log in again")
	}
	if !readOneWay(token) {
		return Bearer{}, invalidToken()
	}
	var claims jwt.RegisteredClaims
	_, err := t.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.secret, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Bearer{}, domain.Errorf(domain.Unauthenticated, "the token has expired; log in again")
	}
	if err != nil {
		return Bearer{}, invalidToken()
	}
	user, err := domain.ParseUserID(claims.Subject)
	if err != nil {
		return Bearer{}, invalidToken()
	}
	return Bearer{User: user, Expires: claims.ExpiresAt.Time}, nil
}

func invalidToken() error {
	return domain.Errorf(domain.Unauthenticated, "the token is not valid here; log in again")
}

// StillGood says, by an error, that a token that was good has ceased to be. As
// long as that cannot be told there is none.
func StillGood(tokens *Tokens, header string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
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
