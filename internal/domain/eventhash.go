package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// EventHash is a short hash that identifies an event, even among events at the
// same position in different histories of one log. Restoring a backup ends a
// history: the positions after it are used again, and the hash distinguishes the
// old event from the new one. No event has the hash 0.
type EventHash int64

// HashEvent returns the hash of the event that was recorded in a stream at a
// time. The stream of an account or a chirp is never used twice, because its id
// is new. One user's follows of another share a stream and differ in their time,
// which has millisecond precision. An event keeps its hash when the log is
// copied, and the views hold enough about chirps and users to compute it without
// the log.
func HashEvent(stream StreamID, recordedAt time.Time) EventHash {
	text := append(strconv.AppendInt(make([]byte, 0, 128), int64(len(stream)), 10), ':')
	text = append(append(text, stream...), ',')
	sum := sha256.Sum256(strconv.AppendInt(text, recordedAt.UnixMilli(), 10))
	if h := EventHash(binary.BigEndian.Uint64(sum[:])); h != 0 {
		return h
	}
	return 1
}
