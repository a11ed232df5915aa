package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// EventHash is a short hash of what an event has in common with no other, not
// even with one that stands at its position in another history of the same
// log. A backup that is restored ends a history: the positions after it are
// used again, and the hash tells the old event from the new one. The zero
// EventHash is no event's.
type EventHash int64

// HashEvent returns the hash of the event that was recorded at a time in a
// stream. The stream of an account or a chirp is never used twice, for its id
// is new; one user's follows of another share a stream, and are told apart by
// the time, which counts to the millisecond. An event keeps its hash wherever
// the log is copied to, and the views know enough of chirps and users to make
// it without the log.
func HashEvent(stream StreamID, recordedAt time.Time) EventHash {
	text := append(strconv.AppendInt(make([]byte, 0, 128), int64(len(stream)), 10), ':')
	text = append(append(text, stream...), ',')
	sum := sha256.Sum256(strconv.AppendInt(text, recordedAt.UnixMilli(), 10))
	if h := EventHash(binary.BigEndian.Uint64(sum[:])); h != 0 {
		return h
	}
	return 1
}
