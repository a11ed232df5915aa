package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of the value objects.
const (
	MaxUsername = 15   // characters
	MaxContent  = 280  // Unicode code points, after normalization
	MinPassword = 8    // bytes
	MaxPassword = 1024 // bytes
)

// Username is a user's name, in the case chosen at registration.
type Username string

// ParseUsername accepts 1 to 15 of the characters A–Z, a–z, 0–9 and underscore.
// Anything else is Invalid.
func ParseUsername(s string) (Username, error) {
	if len(s) < 1 || len(s) > MaxUsername || strings.ContainsFunc(s, notUsernameRune) {
		return "", Errorf(Invalid, "username %.40q must be 1 to %d of the characters A-Z, a-z, 0-9 and _", s, MaxUsername)
	}
	return Username(s), nil
}

func notUsernameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
}

// Folded returns the name in lower case, the form in which names are compared.
func (u Username) Folded() string { return strings.ToLower(string(u)) }

// Content is the text of a chirp: valid UTF-8 in Unicode normalization form C,
// with \n as the line ending, no white space at either end, 1 to 280 code points
// of which at least one is visible, at most 30 combining marks in a row, and no
// control character except the newline. A chirp that is older than one of these
// rules may break it.
type Content string

var (
	errNotUTF8   = Errorf(Invalid, "content is not valid UTF-8; send it in that encoding")
	errNoContent = Errorf(Invalid, "content is empty; write at least one visible character")
)

// ParseContent normalizes a text to Content. A text that breaks a rule is
// Invalid, and the error says which. The web client does the same before it
// sends a text.
func ParseContent(s string) (Content, error) {
	if !utf8.ValidString(s) {
		return "", errNotUTF8
	}
	if tooManyMarks(s) {
		return "", Errorf(Invalid, "content has more than %d combining marks in a row", MaxMarks)
	}
	s = strings.TrimSpace(normal(norm.NFC, strings.ReplaceAll(s, "\r\n", "\n")))
	if !strings.ContainsFunc(s, func(r rune) bool { return !invisible(r) || unicode.IsControl(r) && r != '\n' }) {
		return "", errNoContent
	}
	if err := checkCharacters(s); err != nil {
		return "", err
	}
	return Content(s), nil
}

// checkCharacters checks the length of a content, and its characters.
func checkCharacters(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxContent {
		return Errorf(Invalid, "content has %d code points; at most %d are allowed", n, MaxContent)
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' {
			return Errorf(Invalid, "content has the control character %U; only newlines are allowed", r)
		}
	}
	return nil
}

// CheckPassword accepts any 8 to 1,024 bytes. Another length is Invalid.
func CheckPassword(password string) error {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return Errorf(Invalid, "the password has %d bytes; it must have %d to %d", len(password), MinPassword, MaxPassword)
	}
	return nil
}
