package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of an Identity, in bytes. OpenID Connect limits a subject to 255.
const (
	MaxIssuer  = 512
	MaxSubject = 255
)

// Identity is a person as an external token issuer knows them: the issuer's URL,
// and its own name for that person, which it uses for no one else. Both are
// compared byte for byte. The zero Identity stands for none.
type Identity struct {
	Issuer  string
	Subject string
}

// ParseIdentity accepts an issuer of 1 to 512 bytes and a subject of 1 to 255
// bytes, both valid UTF-8 without control characters. Anything else is Invalid.
func ParseIdentity(issuer, subject string) (Identity, error) {
	for _, part := range []struct {
		name, text string
		most       int
	}{{"issuer", issuer, MaxIssuer}, {"subject", subject, MaxSubject}} {
		if len(part.text) < 1 || len(part.text) > part.most {
			return Identity{}, Errorf(Invalid, "the %s has %d bytes; it must have 1 to %d", part.name, len(part.text), part.most)
		}
		if !utf8.ValidString(part.text) || strings.ContainsFunc(part.text, unicode.IsControl) {
			return Identity{}, Errorf(Invalid, "the %s is not valid UTF-8, or contains a control character", part.name)
		}
	}
	return Identity{Issuer: issuer, Subject: subject}, nil
}

// IdentityEvent is an event of an external identity's reservation.
//
//sumtype:decl
type IdentityEvent interface {
	Event
	ofIdentity()
}

// IdentityReserved says that an external issuer's tokens for a subject identify a
// user from now on.
type IdentityReserved struct {
	UserID  UserID `json:"userId"`
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Identity returns the identity that was reserved.
func (e IdentityReserved) Identity() Identity { return Identity{Issuer: e.Issuer, Subject: e.Subject} }

// WireName implements Event.
func (IdentityReserved) WireName() string { return identityReservedV1 }

// Stream implements Event.
func (e IdentityReserved) Stream() StreamID { return IdentityStream(e.Identity()) }

// Users implements Event.
func (IdentityReserved) Users() []UserID { return nil }

func (e IdentityReserved) hasIDs() bool { return e.UserID != "" && e.Issuer != "" && e.Subject != "" }
func (IdentityReserved) ofIdentity()    {}
