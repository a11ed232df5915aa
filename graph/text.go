package graph

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting is how deep JSON may nest. Nothing in the API needs ten levels.
const maxNesting = 100

// malformed says what is wrong with a JSON text, apart from its being none.
func malformed(text []byte) string {
	switch {
	case !wellFormed(text):
		return "is not valid UTF-8, or escapes half a character"
	case nesting(text) > maxNesting:
		return fmt.Sprintf("nests more than %d levels deep", maxNesting)
	default:
		return ""
	}
}

// nesting gives how deep the lists and objects of a JSON text nest.
func nesting(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// wellFormed says whether a JSON text is UTF-8 and escapes no half of a
// surrogate pair. The decoder would put U+FFFD in the place of either, and a
// chirp be kept that nobody wrote.
func wellFormed(text []byte) bool {
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

// escapeLen is the length of an escape such as \u00e9.
const escapeLen = 6

// codeUnit reads an escape of a UTF-16 code unit at the beginning of a text.
func codeUnit(text []byte) (rune, bool) {
	if len(text) < escapeLen || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:escapeLen]), 16, 16)
	return rune(n), err == nil
}
