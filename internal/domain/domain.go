// Package domain defines the vocabulary of every other package: ids, value
// objects, events with their wire names, and kinds of error. It reads no clock,
// generates no ids, and knows neither stores nor transports.
package domain

import "strconv"

// Position is a place in the log. The first event has position 1, each later
// event one more than the event before it, and no position is skipped.
// Position 0 is before the first event.
type Position int64

// String returns the position as a decimal number, the form that the API uses.
func (p Position) String() string { return strconv.FormatInt(int64(p), 10) }

// ParsePosition parses the form that String returns.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, Errorf(Invalid, "position %.40q is not a whole number from 0 to 9223372036854775807", s)
	}
	return Position(n), nil
}
