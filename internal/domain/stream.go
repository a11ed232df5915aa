package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// StreamID names a stream: the events of one aggregate, in version order.
type StreamID string

// UserStream is the stream of a user's account.
func UserStream(id UserID) StreamID { return StreamID("user:" + id) }

// UsernameStream is the stream that reserves a username. Names that differ in
// case only share it, which is what makes a username unique.
func UsernameStream(name Username) StreamID { return StreamID("username:" + name.Folded()) }

// IdentityStream is the stream that reserves an outside identity. Its name has
// a hash in place of what somebody else chose, so that it is short and plain
// whatever that is; the lengths keep apart what joins to the same text. The log
// has it for ever: another way of making it would give one identity two users.
func IdentityStream(i Identity) StreamID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s,%d:%s", len(i.Issuer), i.Issuer, len(i.Subject), i.Subject))
	return StreamID("identity:" + hex.EncodeToString(sum[:]))
}

// ChirpStream is the stream of one chirp.
func ChirpStream(id ChirpID) StreamID { return StreamID("chirp:" + id) }

// FollowStream is the stream of one user's following another.
func FollowStream(follower, followee UserID) StreamID {
	return StreamID("follow:" + string(follower) + ":" + string(followee))
}
