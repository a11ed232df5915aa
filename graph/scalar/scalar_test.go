package scalar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/scalar"
	"chirp/internal/domain"
)

func written(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

func TestDateTimeIsInUTCWithMilliseconds(t *testing.T) {
	moment := time.Date(2026, 1, 31, 14, 5, 6, 7_000_000, time.FixedZone("", 2*3600))
	if got, want := written(scalar.MarshalDateTime(moment)), `"2026-01-31T12:05:06.007Z"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, err := scalar.UnmarshalDateTime("2026-01-31T12:05:06.007Z")
	if err != nil || !got.Equal(moment) || got.Location() != time.UTC {
		t.Errorf("got %v, %v, want %v in UTC", got, err, moment)
	}
	for _, bad := range []any{
		"yesterday", "2026-01-31", "2026-01-31T12:05:06Z", "2026-01-31T12:05:06.0070Z", "2026-01-31T12:05:06,007Z",
		"2026-01-31T12:05:06.007+00:00", "2026-01-31T14:05:06.007+02:00", "2026-01-31t12:05:06.007z", "2026-02-30T12:05:06.007Z", 12, nil,
	} {
		if _, err := scalar.UnmarshalDateTime(bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%v: got %v, want an error of kind Invalid", bad, err)
		}
	}
}

func TestPositionIsADecimalString(t *testing.T) {
	const largest = domain.Position(1<<63 - 1)
	if got := written(scalar.MarshalPosition(largest)); got != `"9223372036854775807"` {
		t.Errorf("got %s, want the number in quotes", got)
	}
	for _, good := range []any{"9223372036854775807", json.Number("9223372036854775807"), int64(largest), int(largest)} {
		if got, err := scalar.UnmarshalPosition(good); got != largest || err != nil {
			t.Errorf("%T: got %d, %v, want %d", good, got, err, largest)
		}
	}
	for _, bad := range []any{"", "-1", "+1", "01", "1.0", "9223372036854775808", json.Number("1e3"), -1, 1.5, true, nil} {
		if _, err := scalar.UnmarshalPosition(bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%v: got %v, want an error of kind Invalid", bad, err)
		}
	}
}

func TestInputsOfTheWrongTypeAreRefused(t *testing.T) {
	for _, c := range []struct {
		scalar string
		read   func(any) (any, error)
		good   map[any]any
		bad    []any
	}{
		{"String", func(v any) (any, error) { return scalar.UnmarshalString(v) },
			map[any]any{"": "", "7": "7"}, []any{json.Number("7"), int64(7), 7, 7.5, true, nil}},
		{"ID", func(v any) (any, error) { return scalar.UnmarshalID(v) },
			map[any]any{"x": "x", json.Number("7"): "7", int64(7): "7", 7: "7"}, []any{json.Number("7.5"), json.Number("1e3"), 7.5, false, nil}},
		{"Int", func(v any) (any, error) { return scalar.UnmarshalInt(v) },
			map[any]any{json.Number("-2147483648"): -1 << 31, json.Number("2147483647"): 1<<31 - 1, json.Number("2e1"): 20, json.Number("20.0"): 20, int64(7): 7, 7: 7},
			[]any{"7", json.Number("7.5"), json.Number("2147483648"), json.Number("1e300"), int64(1 << 40), 7.0, true, nil}},
	} {
		for v, want := range c.good {
			if got, err := c.read(v); got != want || err != nil {
				t.Errorf("%s of %T %v: got %v, %v, want %v", c.scalar, v, v, got, err, want)
			}
		}
		for _, v := range append(c.bad, []any{"x"}, map[string]any{}) {
			if got, err := c.read(v); domain.KindOf(err) != domain.Invalid {
				t.Errorf("%s of %T %v: got %v, %v, want an error of kind Invalid", c.scalar, v, v, got, err)
			}
		}
	}
}
