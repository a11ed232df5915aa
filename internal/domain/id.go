package domain

import (
	"strings"

	"go.jetify.com/typeid"
)

// UserID names a user: a TypeID such as user_01h455vb4pex5vsknk084sn02q.
type UserID string

// ChirpID names a chirp: a TypeID such as chirp_01h455vb4pex5vsknk084sn02q.
type ChirpID string

const (
	userPrefix  = "user"
	chirpPrefix = "chirp"
)

// UserIDFrom makes the user id that stands for a UUID (version 7, so that ids
// sort by the time they were made).
func UserIDFrom(uuid [16]byte) UserID { return UserID(encodeID(userPrefix, uuid)) }

// ChirpIDFrom makes the chirp id that stands for a UUID (version 7).
func ChirpIDFrom(uuid [16]byte) ChirpID { return ChirpID(encodeID(chirpPrefix, uuid)) }

// ParseUserID accepts a well-formed user id and refuses anything else as
// Invalid; it does not say whether the user exists.
func ParseUserID(s string) (UserID, error) {
	if err := checkID(userPrefix, s); err != nil {
		return "", err
	}
	return UserID(s), nil
}

// ParseChirpID accepts a well-formed chirp id and refuses anything else as
// Invalid; it does not say whether the chirp exists.
func ParseChirpID(s string) (ChirpID, error) {
	if err := checkID(chirpPrefix, s); err != nil {
		return "", err
	}
	return ChirpID(s), nil
}

func encodeID(prefix string, uuid [16]byte) string {
	id, err := typeid.FromUUIDBytesWithPrefix(prefix, uuid[:])
	if err != nil {
		panic("domain: the prefix " + prefix + " is not a TypeID prefix")
	}
	return id.String()
}

// checkID splits at the prefix it expects, not at the last underscore, for a
// TypeID's prefix may hold underscores: user_x_… is of another kind than user_….
func checkID(prefix, s string) error {
	if suffix, ok := strings.CutPrefix(s, prefix+"_"); ok && suffix != "" {
		if _, err := typeid.From(prefix, suffix); err == nil {
			return nil
		}
	}
	return Errorf(Invalid, "%.64q is not a %s id (%s_ and 26 characters)", s, prefix, prefix)
}
