package domain

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Decoder decodes stored events. It first upcasts an event of an older version,
// one step at a time, until the wire name is a current one. So the rest of the
// program sees only the newest version, and the log stays as it was written.
type Decoder struct {
	// Upcasts maps each wire name of an older version to its next step. A
	// current name has none.
	Upcasts map[string]Upcast
	// Current decodes the data of a current wire name, and returns an
	// *UnknownEventError for any other name.
	Current func(wireName string, data []byte) (Event, error)
}

// Upcast is the step from one version of an event to a later one.
type Upcast struct {
	// To is the wire name of the later version.
	To string
	// Data converts the older version's JSON object into the later one's.
	Data func(json.RawMessage) (json.RawMessage, error)
}

var errUpcastLoop = errors.New("the upcasts form a loop")

// Decode decodes one event. The error is an *UnknownEventError if the wire name
// is neither current nor upcast. Upcasts that end at an unknown name or form a
// loop are a mistake in the Decoder, and another error.
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
