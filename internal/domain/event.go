package domain

import (
	"encoding/json"
	"fmt"

	strictjson "github.com/go-json-experiment/json"
)

// Event is a fact about Chirp's world. Its wire name and its JSON are kept for
// ever: renaming a Go type or field cannot change them, and a new meaning needs
// a new wire name.
type Event interface {
	// WireName is the event's type in the log, with its version.
	WireName() string
}

// UserRegistered says that an account was made.
type UserRegistered struct {
	UserID   UserID   `json:"userId"`
	Username Username `json:"username"`
}

// UsernameReserved says that a name belongs to a user from now on.
type UsernameReserved struct {
	UserID   UserID   `json:"userId"`
	Username Username `json:"username"`
}

// IdentityReserved says that an outside issuer's tokens about a subject speak
// for a user from now on.
type IdentityReserved struct {
	UserID  UserID `json:"userId"`
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Identity is what was reserved.
func (e IdentityReserved) Identity() Identity { return Identity{Issuer: e.Issuer, Subject: e.Subject} }

// ChirpPosted says that a user published a chirp.
type ChirpPosted struct {
	ChirpID  ChirpID `json:"chirpId"`
	AuthorID UserID  `json:"authorId"`
	Content  Content `json:"content"`
}

// UserFollowed says that one user began to follow another.
type UserFollowed struct {
	FollowerID UserID `json:"followerId"`
	FolloweeID UserID `json:"followeeId"`
}

// UserUnfollowed says that one user ceased to follow another.
type UserUnfollowed struct {
	FollowerID UserID `json:"followerId"`
	FolloweeID UserID `json:"followeeId"`
}

// The wire names.
const (
	userRegisteredV1   = "user.registered.v1"
	usernameReservedV1 = "username.reserved.v1"
	identityReservedV1 = "identity.reserved.v1"
	chirpPostedV1      = "chirp.posted.v1"
	userFollowedV1     = "user.followed.v1"
	userUnfollowedV1   = "user.unfollowed.v1"
)

// WireName implements Event.
func (UserRegistered) WireName() string { return userRegisteredV1 }

// WireName implements Event.
func (UsernameReserved) WireName() string { return usernameReservedV1 }

// WireName implements Event.
func (IdentityReserved) WireName() string { return identityReservedV1 }

// WireName implements Event.
func (ChirpPosted) WireName() string { return chirpPostedV1 }

// WireName implements Event.
func (UserFollowed) WireName() string { return userFollowedV1 }

// WireName implements Event.
func (UserUnfollowed) WireName() string { return userUnfollowedV1 }

// UnknownEventError says that the log holds an event that this program cannot
// read, most likely written by a newer version of it.
type UnknownEventError struct {
	WireName string
}

// Error names the wire name.
func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("unknown event type %q: a newer version of this program must have written it", e.WireName)
}

// EncodeEvent gives an event's wire name and its JSON, always an object.
func EncodeEvent(e Event) (wireName string, data []byte, err error) {
	data, err = json.Marshal(e)
	if err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", e.WireName(), err)
	}
	return e.WireName(), data, nil
}

// DecodeEvent reads what EncodeEvent wrote, now or in an older version. It
// gives an *UnknownEventError for a wire name it does not know, and another
// error for data that is no JSON object or lacks one of the event's ids: half
// an event is not a fact.
func DecodeEvent(wireName string, data []byte) (Event, error) {
	return decoder().Decode(wireName, data)
}

// decoder gives the one for the events that exist. There is no older version
// of any of them yet; the first one adds its upcast here.
func decoder() Decoder { return Decoder{Current: decodeCurrent} }

func decodeCurrent(wireName string, data []byte) (Event, error) {
	switch wireName {
	case userRegisteredV1:
		return decode[UserRegistered](wireName, data)
	case usernameReservedV1:
		return decode[UsernameReserved](wireName, data)
	case identityReservedV1:
		return decode[IdentityReserved](wireName, data)
	case chirpPostedV1:
		return decode[ChirpPosted](wireName, data)
	case userFollowedV1:
		return decode[UserFollowed](wireName, data)
	case userUnfollowedV1:
		return decode[UserUnfollowed](wireName, data)
	default:
		return nil, &UnknownEventError{WireName: wireName}
	}
}

// stored is an event that can tell whether what was read names all it is about.
type stored interface {
	Event
	hasIDs() bool
}

// decode reads an event whose members have exactly the names they are written
// by, each once: an imported log cannot mean one thing to one reader and
// another thing to another.
func decode[E stored](wireName string, data []byte) (Event, error) {
	var e E
	if err := strictjson.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode %s: %w", wireName, err)
	}
	if !e.hasIDs() {
		return nil, fmt.Errorf("decode %s: an id is missing in %.200q", wireName, data)
	}
	return e, nil
}

func (e UserRegistered) hasIDs() bool   { return e.UserID != "" }
func (e UsernameReserved) hasIDs() bool { return e.UserID != "" }
func (e IdentityReserved) hasIDs() bool { return e.UserID != "" && e.Issuer != "" && e.Subject != "" }
func (e ChirpPosted) hasIDs() bool      { return e.ChirpID != "" && e.AuthorID != "" }
func (e UserFollowed) hasIDs() bool     { return e.FollowerID != "" && e.FolloweeID != "" }
func (e UserUnfollowed) hasIDs() bool   { return e.FollowerID != "" && e.FolloweeID != "" }
