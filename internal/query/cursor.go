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

// A cursor is 17 bytes in unpadded base64url: a version, the position as 8
// bytes, the highest first, and the first 8 bytes of an HMAC-SHA256 of both
// under the log's epoch. It is no secret; the code is there so that a cursor
// of another log, or an altered one, is refused and not misread.
const (
	cursorVersion = 1
	cursorSigned  = 1 + 8            // bytes under the code
	cursorBytes   = cursorSigned + 8 // with the code
)

// Cursor gives the opaque name of a position. Two readings of one log give the
// same cursor for the same position.
func (r *Reader) Cursor(p domain.Position) string {
	b := make([]byte, cursorSigned, cursorSigned+sha256.Size)
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[1:], uint64(p))
	b = r.sign(b)[:cursorBytes]
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads what Cursor gave. A cursor of another log, an altered one,
// and one from beyond the log's head are CursorInvalid. One from beyond the
// reading's checkpoint is fine: it was given out by a reading that knew more.
func (r *Reader) ParseCursor(ctx context.Context, s string) (domain.Position, error) {
	p, ok := r.openCursor(s)
	if !ok {
		return 0, domain.Errorf(domain.CursorInvalid,
			"cursor %.40q was not given out by this server, or was altered; start again without it", s)
	}
	if p <= r.Checkpoint() {
		return p, nil
	}
	head, err := r.head(ctx)
	if err != nil {
		return 0, fmt.Errorf("check cursor %.40q: %w", s, err)
	}
	if p > head {
		return 0, domain.Errorf(domain.CursorInvalid,
			"cursor %.40q lies beyond the end of the log; start again without it", s)
	}
	return p, nil
}

func (r *Reader) openCursor(s string) (domain.Position, bool) {
	if base64.RawURLEncoding.DecodedLen(len(s)) != cursorBytes {
		return 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBytes || b[0] != cursorVersion {
		return 0, false
	}
	signed := r.sign(b[:cursorSigned:cursorSigned])
	p := domain.Position(binary.BigEndian.Uint64(b[1:]))
	return p, p > 0 && hmac.Equal(signed[:cursorBytes], b)
}

// sign appends the code to the bytes under it.
func (r *Reader) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, []byte(r.generation.Epoch))
	mac.Write(b)
	return mac.Sum(b)
}
