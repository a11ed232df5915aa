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
	MaxContent  = 280  // Unicode code points, after normalisation
	MinPassword = 8    // bytes
	MaxPassword = 1024 // bytes
)

// Username is a user's name as its owner wrote it.
type Username string

// ParseUsername accepts 1 to 15 of A–Z, a–z, 0–9 and underscore.
func ParseUsername(s string) (Username, error) {
	if len(s) < 1 || len(s) > MaxUsername || strings.ContainsFunc(s, notUsernameRune) {
		return "", Errorf(Invalid, "username %.40q must be 1 to %d of the characters A-Z, a-z, 0-9 and _", s, MaxUsername)
	}
	return Username(s), nil
}

func notUsernameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
}

// Folded gives the form in which names are compared: without regard to case.
func (u Username) Folded() string { return strings.ToLower(string(u)) }

// Content is the text of a chirp: valid UTF-8 in Unicode's normal form C, line
// ends as \n, no white space at its ends, 1 to 280 code points with one to see
// among them, at most 30 combining marks in a row, and no control character but
// the newline. Chirps in the log that are older than a rule may break it.
type Content string

// ParseContent brings a text into the form of Content, or says which rule it
// breaks. The web client does the same before it sends one.
func ParseContent(s string) (Content, error) {
	if !utf8.ValidString(s) {
		return "", Errorf(Invalid, "content is not valid UTF-8; send it in that encoding")
	}
	if tooManyMarks(s) {
		return "", Errorf(Invalid, "content has more than %d combining marks in a row", MaxMarks)
	}
	s = strings.TrimSpace(normal(norm.NFC, strings.ReplaceAll(s, "\r\n", "\n")))
	if !strings.ContainsFunc(s, func(r rune) bool { return !invisible(r) || unicode.IsControl(r) && r != '\n' }) {
		return "", Errorf(Invalid, "content is empty; write at least one character that can be seen")
	}
	if n := utf8.RuneCountInString(s); n > MaxContent {
		return "", Errorf(Invalid, "content has %d code points, at most %d are allowed", n, MaxContent)
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' {
			return "", Errorf(Invalid, "content has the control character %U; only newlines are allowed", r)
		}
	}
	return Content(s), nil
}

// CheckPassword accepts 8 to 1,024 bytes of anything.
func CheckPassword(password string) error {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return Errorf(Invalid, "the password has %d bytes, it must have %d to %d", len(password), MinPassword, MaxPassword)
	}
	return nil
}
