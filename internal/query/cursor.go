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
// hash of the event there as 8 bytes each, big-endian, and the first 8 bytes of
// an HMAC-SHA256 of them all, keyed with the log's epoch. The key is no secret.
// The MAC detects a cursor of another log, or an altered one; the hash detects
// a cursor from before a backup was restored, when another event may have taken
// its position.
const (
	cursorVersion = 2
	cursorSigned  = 1 + 8 + 8        // bytes under the MAC
	cursorBytes   = cursorSigned + 8 // with the MAC

	// oldCursorVersion and oldCursorBytes are those of cursors without a hash.
	// They are recognized only to explain why they are refused.
	oldCursorVersion = 1
	oldCursorBytes   = 1 + 8 + 8
)

// Cursor returns the cursor of the event at a position. All Readers of one log
// return the same cursor for the same event.
func (r *Reader) Cursor(p domain.Position, event domain.EventHash) string {
	b := make([]byte, cursorSigned, cursorSigned+sha256.Size)
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[1:], uint64(p))
	binary.BigEndian.PutUint64(b[9:], uint64(event))
	b = r.sign(b)[:cursorBytes]
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor returns the position of a cursor that Cursor returned, after
// checking that the log still has its event. It returns CursorInvalid for
//
//  1. a cursor of another log,
//  2. an altered cursor,
//  3. a position beyond the log's head, and
//  4. a position at which the log has another event, because a backup was
//     restored since.
//
// A cursor from beyond the Reader's own checkpoint is valid: a Reader with a
// later checkpoint issued it. If the log lacks an event that the views show, the
// two are not consistent for now, and the error is Unavailable.
func (r *Reader) ParseCursor(ctx context.Context, s string) (domain.Position, error) {
	p, event, err := r.openCursor(s)
	if err != nil {
		return 0, err
	}
	hashes, err := r.service.Hashes(ctx, []domain.Position{p})
	if err != nil {
		return 0, fmt.Errorf("check cursor %.40q: %w", s, err)
	}
	switch found, is := hashes[p]; {
	case is && found == event:
		return p, nil
	case is:
		return 0, cursorInvalid(s, "was issued before a backup was restored that undid what it refers to")
	case p <= r.Checkpoint():
		return 0, domain.Errorf(domain.Unavailable, "the log does not show position %d, which the views have; try again in a moment", p)
	default:
		return 0, cursorInvalid(s, "lies beyond the end of the log")
	}
}

func cursorInvalid(cursor, why string) error {
	return domain.Errorf(domain.CursorInvalid, "cursor %.40q %s; start again without it", cursor, why)
}

// openCursor decodes a cursor and checks its MAC. It does not read the log.
func (r *Reader) openCursor(s string) (domain.Position, domain.EventHash, error) {
	invalid := cursorInvalid(s, "was not issued by this server, or was altered")
	if n := base64.RawURLEncoding.DecodedLen(len(s)); n != cursorBytes && n != oldCursorBytes {
		return 0, 0, invalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	switch {
	case err != nil:
		return 0, 0, invalid
	case len(b) == oldCursorBytes && b[0] == oldCursorVersion:
		return 0, 0, cursorInvalid(s, "was issued by an earlier version of the server")
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

// sign appends the MAC of b to b.
func (r *Reader) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, []byte(r.generation.Epoch))
	mac.Write(b)
	return mac.Sum(b)
}
