package guard

import (
	"fmt"

	"chirp/internal/domain"
)

// maxNesting is how deep JSON may nest. Nothing in the API needs ten levels.
const maxNesting = 100

// MalformedJSON says what is wrong with the characters or the nesting of a JSON
// text, empty if nothing is. Whether it is JSON is not asked.
func MalformedJSON(text []byte) string {
	switch {
	case !domain.WellFormedJSON(text):
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
