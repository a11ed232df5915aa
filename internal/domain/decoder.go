package domain

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Decoder reads events as the log has them. An event of an older version is
// upcast first, one step at a time, until its wire name is a current one; so
// whoever asks for an event sees the newest version only, and the log stays as
// it was written.
type Decoder struct {
	// Upcasts has the step that leads on from each wire name of an older
	// version. A current name has none.
	Upcasts map[string]Upcast
	// Current reads the data of a current wire name, and gives an
	// *UnknownEventError for any other name.
	Current func(wireName string, data []byte) (Event, error)
}

// Upcast is the step from one version of an event to a later one.
type Upcast struct {
	// To is the wire name of the later version.
	To string
	// Data turns the older version's JSON object into the later one's.
	Data func(json.RawMessage) (json.RawMessage, error)
}

// errUpcastLoop says that steps lead back to where they began.
var errUpcastLoop = errors.New("the upcasts go round in circles")

// Decode reads one event. A name that leads nowhere is an *UnknownEventError;
// steps that lead to an unknown name, or round in circles, are a fault of the
// Decoder and another error.
func (d Decoder) Decode(wireName string, data []byte) (Event, error) {
	name := wireName
	for steps := 0; ; steps++ {
		step, older := d.Upcasts[name]
		if !older {
			break
		}
		if steps == len(d.Upcasts) {
			return nil, fmt.Errorf("decode %s: %w", wireName, errUpcastLoop)
		}
		later, err := step.Data(data)
		if err != nil {
			return nil, fmt.Errorf("decode %s: upcast %s to %s: %w", wireName, name, step.To, err)
		}
		name, data = step.To, later
	}
	event, err := d.Current(name, data)
	var unknown *UnknownEventError
	switch {
	case err == nil || name == wireName:
		return event, err
	case errors.As(err, &unknown):
		return nil, fmt.Errorf("decode %s: its upcasts end at %s, which is not a current event type", wireName, name)
	default:
		return nil, fmt.Errorf("decode %s as %s: %w", wireName, name, err)
	}
}
