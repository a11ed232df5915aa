package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"chirp/internal/strictjson"
)

// unambiguous reports whether the header and the claims of a token (JWT) have only
// one interpretation. The libraries that verify tokens match the names of claims in
// any case and let the last duplicate win, so a token could be expired for one
// reader and valid for another.
func unambiguous(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		var members map[string]json.RawMessage
		if err != nil || strictjson.Unmarshal(text, &members) != nil {
			return false
		}
		for name := range members {
			if slices.ContainsFunc(tokenNames(), func(known string) bool { return name != known && strings.EqualFold(name, known) }) {
				return false
			}
		}
	}
	return true
}

// tokenNames returns the members of a token that say how to verify it, whom it
// identifies and when it is valid.
func tokenNames() []string {
	return []string{"alg", "typ", "kid", "crit", "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid"}
}
