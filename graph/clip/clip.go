// Package clip shortens text from clients, to quote it in messages.
package clip

import "strings"

// Text returns a text if it has at most most bytes, or else its beginning and an
// ellipsis, together at most most bytes of valid UTF-8.
func Text(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
