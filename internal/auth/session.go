package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"
	"unicode"

	"chirp/internal/domain"
)

// MaxSessions is the most sessions that a user has. When another one starts, the
// oldest ends.
const MaxSessions = 100

// SessionID identifies a session. It is random, but no secret: only a signed token
// proves that its bearer belongs to the session. The zero value is no session.
type SessionID [16]byte

// NewSessionID returns a new SessionID.
func NewSessionID() SessionID {
	var id SessionID
	_, _ = rand.Read(id[:]) // never fails
	return id
}

const sessionPrefix = "session_"

var sessionDigits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String returns the id in the form session_ and 26 letters and digits, or "" for
// no session.
func (id SessionID) String() string {
	if id == (SessionID{}) {
		return ""
	}
	return sessionPrefix + sessionDigits.EncodeToString(id[:])
}

// ParseSessionID parses what String returns for a session. Anything else is Invalid.
func ParseSessionID(text string) (SessionID, error) {
	var id SessionID
	if digits, ok := strings.CutPrefix(text, sessionPrefix); ok && len(digits) == sessionDigits.EncodedLen(len(id)) {
		_, _ = sessionDigits.Decode(id[:], []byte(digits)) // checked below
	}
	if text == "" || id.String() != text {
		return SessionID{}, domain.Errorf(domain.Invalid, "%.64q is not a session id (%s and 26 characters)", text, sessionPrefix)
	}
	return id, nil
}

// Session is what begins with a registration or a log-in. Its tokens are good until
// it expires or is ended.
type Session struct {
	ID SessionID
	// Epoch is the user's when the session started.
	Epoch            int64
	Started, Expires time.Time
	// Seen is about when the session was last used, and Client by whom. Sessions
	// writes them again only now and then.
	Seen   time.Time
	Client Client
}

// Client is where a request comes from, and the program that sent it, as its header
// User-Agent names it.
type Client struct{ Address, Agent string }

const (
	maxAddress = 64  // bytes
	maxAgent   = 160 // bytes
)

// clean returns the client with its texts fit to be stored and shown: their headers
// may contain anything.
func (c Client) clean() Client {
	return Client{Address: cleanText(c.Address, maxAddress), Agent: cleanText(c.Agent, maxAgent)}
}

// cleanText returns a text without invalid UTF-8 and invisible characters, with
// single spaces, and of at most some bytes.
func cleanText(text string, most int) string {
	text = text[:min(len(text), 4*most)] // before the work
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

type clientKey struct{}

// WithClient returns a context with the client that sent the request. Sessions
// takes it from there.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) Client {
	c, _ := ctx.Value(clientKey{}).(Client)
	return c.clean()
}
