package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// StreamID identifies a stream: the events of one aggregate, in version order.
type StreamID string

// UserStream returns the stream of a user's account.
func UserStream(id UserID) StreamID { return StreamID("user:" + id) }

// UsernameStream returns the stream that reserves a username. Names that differ
// only in case share it, which is what makes a username unique.
func UsernameStream(name Username) StreamID { return StreamID("username:" + name.Folded()) }

// IdentityStream returns the stream that reserves an external identity. Its name
// contains a hash in place of the issuer and the subject, so that it is short
// ASCII whatever they are. The hash covers their lengths too, because different
// pairs may join to the same text. It must never be computed differently: one
// identity could then be reserved for two users.
func IdentityStream(i Identity) StreamID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s,%d:%s", len(i.Issuer), i.Issuer, len(i.Subject), i.Subject))
	return StreamID("identity:" + hex.EncodeToString(sum[:]))
}

// ChirpStream returns the stream of a chirp.
func ChirpStream(id ChirpID) StreamID { return StreamID("chirp:" + id) }

// FollowStream returns the stream of one user's follows of another.
func FollowStream(follower, followee UserID) StreamID {
	return StreamID("follow:" + string(follower) + ":" + string(followee))
}
