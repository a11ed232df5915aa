package guard

import (
	"fmt"

	"chirp/internal/domain"
)

// maxNesting is how deeply JSON may nest. The API needs less than ten levels.
const maxNesting = 100

// CheckJSON returns what is wrong with the encoding or the nesting of a JSON text,
// or "" if nothing is. It does not check the syntax.
func CheckJSON(text []byte) string {
	switch {
	case !domain.WellFormedJSON(text):
		return "is not valid UTF-8, or has an escaped lone surrogate"
	case nesting(text) > maxNesting:
		return fmt.Sprintf("nests more than %d levels deep", maxNesting)
	default:
		return ""
	}
}

// nesting returns how deeply the arrays and objects of a JSON text nest.
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
