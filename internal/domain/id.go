package domain

import (
	"strings"

	"go.jetify.com/typeid"
)

// UserID identifies a user: a TypeID such as user_01h455vb4pex5vsknk084sn02q.
type UserID string

// ChirpID identifies a chirp: a TypeID such as chirp_01h455vb4pex5vsknk084sn02q.
type ChirpID string

const (
	userPrefix  = "user"
	chirpPrefix = "chirp"
)

// UserIDFrom returns the user id for a UUID. The UUID should be of version 7, so
// that ids sort by the time at which they were generated.
func UserIDFrom(uuid [16]byte) UserID { return UserID(encodeID(userPrefix, uuid)) }

// ChirpIDFrom returns the chirp id for a UUID, like UserIDFrom.
func ChirpIDFrom(uuid [16]byte) ChirpID { return ChirpID(encodeID(chirpPrefix, uuid)) }

// ParseUserID accepts a well-formed user id, whether or not the user exists.
// Anything else is Invalid.
func ParseUserID(s string) (UserID, error) {
	if err := checkID(userPrefix, s); err != nil {
		return "", err
	}
	return UserID(s), nil
}

// ParseChirpID accepts a well-formed chirp id, whether or not the chirp exists.
// Anything else is Invalid.
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

// checkID splits after the expected prefix, not at the last underscore, because
// a TypeID's prefix may contain underscores: user_x_… is not of the kind user_….
func checkID(prefix, s string) error {
	if suffix, ok := strings.CutPrefix(s, prefix+"_"); ok && suffix != "" {
		if _, err := typeid.From(prefix, suffix); err == nil {
			return nil
		}
	}
	return Errorf(Invalid, "%.64q is not a %s id (%s_ and 26 characters)", s, prefix, prefix)
}
