package domain

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// WellFormedJSON reports whether a JSON text is valid UTF-8 and escapes no lone
// surrogate. The decoder would replace either with U+FFFD, which would store a
// chirp that no one wrote, or make two passwords or two subjects equal.
func WellFormedJSON(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return true
		}
		r, isUnit := codeUnit(text[i:])
		if !isUnit || !utf16.IsSurrogate(r) {
			text = text[i+2:]
			continue
		}
		low, _ := codeUnit(text[i+escapeLen:])
		if utf16.DecodeRune(r, low) == utf8.RuneError {
			return false
		}
		text = text[i+2*escapeLen:]
	}
}

// escapeLen is the length of an escape sequence such as \u00e9.
const escapeLen = 6

// codeUnit parses the escape sequence of a UTF-16 code unit that text begins
// with, and reports whether there is one.
func codeUnit(text []byte) (rune, bool) {
	if len(text) < escapeLen || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:escapeLen]), 16, 16)
	return rune(n), err == nil
}
