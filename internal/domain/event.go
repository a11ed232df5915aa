package domain

import (
	"encoding/json"
	"fmt"

	strictjson "github.com/go-json-experiment/json"
)

// Event is a fact about Chirp's world. Its wire name and its JSON are kept for
// ever: renaming a Go type or field cannot change them, and a new meaning needs
// a new wire name.
//
// The events are a closed set. Every type switch over them has a case for each,
// or the linter refuses it, so a new event cannot be overlooked.
//
//sumtype:decl
type Event interface {
	// WireName returns the event's type in the log, with its version.
	WireName() string
	// Stream returns the stream that the event belongs to.
	Stream() StreamID
	// Users returns the users whose profiles the event changes. The
	// reservation of a name or an identity changes none: the registration
	// that it is written with does.
	Users() []UserID
	// hasIDs reports whether the event names everything that it is about.
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

// decoders has the function that reads each event's data, by wire name.
var decoders = map[string]func(data []byte) (Event, error){
	userRegisteredV1:   decode[UserRegistered],
	usernameReservedV1: decode[UsernameReserved],
	identityReservedV1: decode[IdentityReserved],
	chirpPostedV1:      decode[ChirpPosted],
	userFollowedV1:     decode[UserFollowed],
	userUnfollowedV1:   decode[UserUnfollowed],
}

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

// decoder returns the Decoder for the events that exist. None of them has an
// older version yet; the first one adds its upcast here.
func decoder() Decoder { return Decoder{Current: decodeCurrent} }

func decodeCurrent(wireName string, data []byte) (Event, error) {
	decode, known := decoders[wireName]
	if !known {
		return nil, &UnknownEventError{WireName: wireName}
	}
	return decode(data)
}

// decode reads an event whose members have exactly the names they are written
// by, each once: an imported log cannot mean one thing to one reader and
// another thing to another.
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
