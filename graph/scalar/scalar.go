// Package scalar marshals and unmarshals the API's scalars. The built-in ones are
// stricter than gqlgen's: no value is converted from another kind.
package scalar

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/domain"
)

// dateTime is RFC 3339 in UTC, with milliseconds as in the log.
const dateTime = "2006-01-02T15:04:05.000Z"

// MarshalDateTime marshals the scalar DateTime.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = w.Write(AppendDateTime(nil, t))
	})
}

// AppendDateTime appends what MarshalDateTime writes.
func AppendDateTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), dateTime), '"')
}

// UnmarshalDateTime unmarshals the exact format that MarshalDateTime writes. A text
// with another offset or precision would come back changed.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, domain.Errorf(domain.Invalid, "a DateTime is RFC 3339 text, not %s", Kind(v))
	}
	t, err := time.Parse(dateTime, s)
	if err != nil || t.Format(dateTime) != s {
		return time.Time{}, domain.Errorf(domain.Invalid, "%.40q is not a DateTime such as 2026-01-31T12:00:00.000Z", s)
	}
	return t, nil
}

// MarshalPosition marshals the scalar Position.
func MarshalPosition(p domain.Position) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, strconv.Quote(p.String()))
	})
}

// UnmarshalPosition unmarshals a decimal string, or a number as one writes it in a
// query by hand.
func UnmarshalPosition(v any) (domain.Position, error) {
	switch v := v.(type) {
	case string:
		return domain.ParsePosition(v)
	case json.Number, int, int64:
		return domain.ParsePosition(fmt.Sprint(v))
	default:
		return 0, domain.Errorf(domain.Invalid, "a Position is a decimal string, not %s", Kind(v))
	}
}

// MarshalString marshals the scalar String.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString unmarshals text, and does not convert anything to text.
func UnmarshalString(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", domain.Errorf(domain.Invalid, "a String is text, not %s", Kind(v))
	}
	return s, nil
}

// MarshalID marshals the scalar ID.
func MarshalID(s string) graphql.Marshaler { return graphql.MarshalID(s) }

// UnmarshalID unmarshals text or, as the specification allows, a whole number.
func UnmarshalID(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int, int64:
		return fmt.Sprint(v), nil
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v.String(), nil
		}
		return "", domain.Errorf(domain.Invalid, "an ID is text or a whole number of 64 bits, not %.40s", v)
	}
	return "", domain.Errorf(domain.Invalid, "an ID is text or a whole number, not %s", Kind(v))
}

// MarshalInt marshals the scalar Int.
func MarshalInt(i int) graphql.Marshaler { return graphql.MarshalInt(i) }

// UnmarshalInt unmarshals a whole number of 32 bits.
func UnmarshalInt(v any) (int, error) {
	var n int64
	var err error
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case json.Number:
		n, err = wholeNumber(v)
	default:
		return 0, domain.Errorf(domain.Invalid, "an Int is a number, not %s", Kind(v))
	}
	if err != nil || n != int64(int32(n)) {
		return 0, domain.Errorf(domain.Invalid, "%.40q is not a whole number of 32 bits", fmt.Sprint(v))
	}
	return int(n), nil
}

// wholeNumber parses a JSON number, which may be written as 20.0 or 2e1.
func wholeNumber(v json.Number) (int64, error) {
	n, err := v.Int64()
	if err == nil {
		return n, nil
	}
	f, err := v.Float64()
	if err == nil && f != float64(int32(f)) {
		err = strconv.ErrRange
	}
	return int64(f), err
}

// Kind returns the kind of a JSON value with an article, such as "a string", or
// "null".
func Kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number, int, int64, float64:
		return "a number"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
