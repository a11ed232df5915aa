package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"chirp/internal/strictjson"
)

// readOneWay reports whether the header and the claims of a token (JWT) can be
// read in one way only. The libraries that verify tokens take the name of a
// claim in any case and let the last of several win, so a token could expire
// for one reader and not for another.
func readOneWay(token string) bool {
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

// tokenNames are the members of a token that say how it is verified, whom it is
// about and when it is good.
func tokenNames() []string {
	return []string{"alg", "typ", "kid", "crit", "iss", "sub", "aud", "exp", "nbf", "iat", "jti"}
}
