package query

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"chirp/internal/domain"
)

// A cursor is 25 bytes in unpadded base64url: a version, the position and the
// hash of the event there as 8 bytes each, the highest first, and the first 8
// bytes of an HMAC-SHA256 of them all under the log's epoch. It is no secret;
// the code is there so that a cursor of another log, or an altered one, is
// refused and not misread, and the hash so that one from before a backup was
// restored is.
const (
	cursorVersion = 2
	cursorSigned  = 1 + 8 + 8        // bytes under the code
	cursorBytes   = cursorSigned + 8 // with the code

	// oldCursorVersion and oldCursorBytes are those of cursors without a hash.
	oldCursorVersion = 1
	oldCursorBytes   = 1 + 8 + 8
)

// Cursor returns the opaque name of the place of an event. Two readings of one
// log give the same cursor for the same event.
func (r *Reader) Cursor(p domain.Position, event domain.EventHash) string {
	b := make([]byte, cursorSigned, cursorSigned+sha256.Size)
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[1:], uint64(p))
	binary.BigEndian.PutUint64(b[9:], uint64(event))
	b = r.sign(b)[:cursorBytes]
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads what Cursor gave, and looks in the log whether the event is
// still there. Four things are CursorInvalid: a cursor of another log, an
// altered one, one from beyond the log's head, and one whose event is not the
// one that the log has at its position, because a backup was restored after it
// was given out. One from beyond the reading's checkpoint is fine: it was given
// out by a reading that knew more. While the log lacks an event that the views
// show, the two don't belong together, and the answer is Unavailable.
func (r *Reader) ParseCursor(ctx context.Context, s string) (domain.Position, error) {
	p, event, err := r.openCursor(s)
	if err != nil {
		return 0, err
	}
	hashes, err := r.hashes(ctx, []domain.Position{p})
	if err != nil {
		return 0, fmt.Errorf("check cursor %.40q: %w", s, err)
	}
	switch found, is := hashes[p]; {
	case is && found == event:
		return p, nil
	case is:
		return 0, cursorInvalid(s, "was given out before a backup was restored, which has undone what it refers to")
	case p <= r.Checkpoint():
		return 0, domain.Errorf(domain.Unavailable, "the log does not show position %d, which the views have; try again in a moment", p)
	default:
		return 0, cursorInvalid(s, "lies beyond the end of the log")
	}
}

func cursorInvalid(cursor, why string) error {
	return domain.Errorf(domain.CursorInvalid, "cursor %.40q %s; start again without it", cursor, why)
}

// openCursor reads a cursor that was signed by this log, without a look at the
// log.
func (r *Reader) openCursor(s string) (domain.Position, domain.EventHash, error) {
	invalid := cursorInvalid(s, "was not given out by this server, or was altered")
	if n := base64.RawURLEncoding.DecodedLen(len(s)); n != cursorBytes && n != oldCursorBytes {
		return 0, 0, invalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	switch {
	case err != nil:
		return 0, 0, invalid
	case len(b) == oldCursorBytes && b[0] == oldCursorVersion:
		return 0, 0, cursorInvalid(s, "was given out by an earlier version of the server")
	case len(b) != cursorBytes || b[0] != cursorVersion:
		return 0, 0, invalid
	}
	signed := r.sign(b[:cursorSigned:cursorSigned])
	p, event := domain.Position(binary.BigEndian.Uint64(b[1:])), domain.EventHash(binary.BigEndian.Uint64(b[9:]))
	if p <= 0 || !hmac.Equal(signed[:cursorBytes], b) {
		return 0, 0, invalid
	}
	return p, event, nil
}

// sign appends the code to the bytes under it.
func (r *Reader) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, []byte(r.generation.Epoch))
	mac.Write(b)
	return mac.Sum(b)
}
