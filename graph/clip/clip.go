// Package clip shortens what is quoted of a client's text.
package clip

import "strings"

// Text returns the beginning of a text, with an ellipsis if it has more than
// most bytes. It never has more itself, and ends between two characters.
func Text(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
