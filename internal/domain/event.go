package domain

import (
	"encoding/json"
	"fmt"

	strictjson "github.com/go-json-experiment/json"
)

// Event is something that happened. Its wire name and its JSON never change:
// renaming a Go type or field does not affect them, and a new meaning needs a
// new wire name.
//
// The events are a closed set. The linter refuses a type switch over them that
// lacks a case, so that a new event cannot be overlooked.
//
//sumtype:decl
type Event interface {
	// WireName returns the event's type in the log, with its version.
	WireName() string
	// Stream returns the stream that the event belongs to.
	Stream() StreamID
	// Users returns the users whose profiles the event changes. The
	// reservation of a name or an identity changes none; the registration
	// that is appended with it does.
	Users() []UserID
	// hasIDs reports whether no id is missing.
	hasIDs() bool
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

// decoders maps each wire name to the function that decodes its data.
var decoders = map[string]func(data []byte) (Event, error){
	userRegisteredV1:   decode[UserRegistered],
	usernameReservedV1: decode[UsernameReserved],
	identityReservedV1: decode[IdentityReserved],
	chirpPostedV1:      decode[ChirpPosted],
	userFollowedV1:     decode[UserFollowed],
	userUnfollowedV1:   decode[UserUnfollowed],
}

// UnknownEventError reports an event that this program cannot decode, most
// likely because a newer version of it wrote the event.
type UnknownEventError struct {
	WireName string
}

// Error returns a message that contains the wire name.
func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("unknown event type %q: a newer version of this program must have written it", e.WireName)
}

// EncodeEvent returns an event's wire name and its JSON, which is an object.
func EncodeEvent(e Event) (wireName string, data []byte, err error) {
	data, err = json.Marshal(e)
	if err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", e.WireName(), err)
	}
	return e.WireName(), data, nil
}

// DecodeEvent decodes what EncodeEvent of this or an older version returned. The
// error is an *UnknownEventError if the wire name is unknown, and another one if
// the data is not a JSON object or lacks one of the event's ids.
func DecodeEvent(wireName string, data []byte) (Event, error) {
	return decoder().Decode(wireName, data)
}

// decoder returns the Decoder for all events. None of them has an older version
// yet; the upcast of the first that does goes here.
func decoder() Decoder { return Decoder{Current: decodeCurrent} }

func decodeCurrent(wireName string, data []byte) (Event, error) {
	decode, known := decoders[wireName]
	if !known {
		return nil, &UnknownEventError{WireName: wireName}
	}
	return decode(data)
}

// decode decodes an event. Member names must match exactly and occur once;
// otherwise an imported log could mean different things to different readers.
func decode[E Event](data []byte) (Event, error) {
	var e E
	if err := strictjson.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.WireName(), err)
	}
	if !e.hasIDs() {
		return nil, fmt.Errorf("decode %s: an id is missing in %.200q", e.WireName(), data)
	}
	return e, nil
}
