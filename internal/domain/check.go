package domain

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// CheckEvent returns an error unless each value of an event is one that a command
// could have put there: ids, names and identities that are well-formed, and a
// content that CheckContent accepts. DecodeEvent does not check that, so that a log
// can always be read.
func CheckEvent(e Event) error {
	switch e := e.(type) {
	case UserRegistered:
		return cmp.Or(checkUserID(e.UserID), checkUsername(e.Username))
	case UsernameReserved:
		return cmp.Or(checkUserID(e.UserID), checkUsername(e.Username))
	case IdentityReserved:
		_, err := ParseIdentity(e.Issuer, e.Subject)
		return cmp.Or(checkUserID(e.UserID), err)
	case ChirpPosted:
		_, err := ParseChirpID(string(e.ChirpID))
		return cmp.Or(err, checkUserID(e.AuthorID), CheckContent(e.Content))
	case UserFollowed:
		return cmp.Or(checkUserID(e.FollowerID), checkUserID(e.FolloweeID))
	case UserUnfollowed:
		return cmp.Or(checkUserID(e.FollowerID), checkUserID(e.FolloweeID))
	default:
		return &UnknownEventError{WireName: e.WireName()}
	}
}

func checkUserID(id UserID) error {
	_, err := ParseUserID(string(id))
	return err
}

func checkUsername(name Username) error {
	_, err := ParseUsername(string(name))
	return err
}

// CheckContent returns an error unless some version of ParseContent returns such a
// content. Older versions did not require a visible character, and did not limit
// the combining marks in a row.
func CheckContent(c Content) error {
	s := string(c)
	switch {
	case !utf8.ValidString(s):
		return errNotUTF8
	case s == "":
		return errNoContent
	case strings.TrimSpace(s) != s:
		return Errorf(Invalid, "content begins or ends with white space")
	}
	if err := checkCharacters(s); err != nil {
		return err
	}
	if !norm.NFC.IsNormalString(s) && normal(norm.NFC, s) != s {
		return Errorf(Invalid, "content is not in Unicode normalization form C")
	}
	return nil
}

// MaxCommandID is the maximum length of a command id.
const MaxCommandID = 64

// CheckCommandID accepts 1 to 64 printable ASCII characters. Anything else is
// Invalid.
func CheckCommandID(id string) error {
	if len(id) < 1 || len(id) > MaxCommandID || strings.ContainsFunc(id, notPrintable) {
		return Errorf(Invalid, "command id %.80q must be 1 to %d printable ASCII characters", id, MaxCommandID)
	}
	return nil
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

// RegistrationActor returns the actor of a registration, to whom its command id
// belongs: the wanted name, or the identity, whose ids no other caller can use or
// overhear. The identity is zero if the user has a password.
func RegistrationActor(name Username, who Identity) string {
	if who == (Identity{}) {
		return name.Folded()
	}
	return string(IdentityStream(who))
}
