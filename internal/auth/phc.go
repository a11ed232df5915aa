package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// params are the cost parameters of argon2id.
type params struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// Bounds of a stored hash. A damaged or foreign one must not be able to use all
// memory or run for minutes.
const (
	maxHash   = 256        // bytes of the whole string
	maxMemory = 256 * 1024 // KiB
	maxPasses = 16
	maxLanes  = 16
	minSalt   = 8
	maxSalt   = 64
	minKey    = 16
	maxKey    = 64
)

// hash is a password's hash with everything needed to compute it again.
type hash struct {
	params
	salt []byte
	key  []byte
}

// String returns the hash in the PHC string format:
// $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<key>, both in base64
// without padding.
func (h hash) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.memory, h.passes, h.lanes, enc.EncodeToString(h.salt), enc.EncodeToString(h.key))
}

// parseHash parses what String returns, within the bounds above. Its errors contain
// nothing of the hash.
func parseHash(s string) (hash, error) {
	var h hash
	parts := strings.Split(s, "$")
	if len(s) > maxHash || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, errors.New("password hash is not argon2id in the PHC format, version 19")
	}
	var err error
	if h.params, err = parseParams(parts[3]); err != nil {
		return h, err
	}
	if h.salt, err = decodeBase64(parts[4], minSalt, maxSalt); err != nil {
		return h, fmt.Errorf("salt of password hash: %w", err)
	}
	if h.key, err = decodeBase64(parts[5], minKey, maxKey); err != nil {
		return h, fmt.Errorf("key of password hash: %w", err)
	}
	return h, nil
}

func parseParams(s string) (params, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return params{}, errors.New("password hash must have the parameters m, t and p")
	}
	memory, err := parseParam(fields[0], "m=", maxMemory)
	if err != nil {
		return params{}, err
	}
	passes, err := parseParam(fields[1], "t=", maxPasses)
	if err != nil {
		return params{}, err
	}
	lanes, err := parseParam(fields[2], "p=", maxLanes)
	if err != nil {
		return params{}, err
	}
	if memory < 8*lanes {
		return params{}, errors.New("parameter m of password hash is less than 8 for each lane")
	}
	return params{memory: memory, passes: passes, lanes: uint8(lanes)}, nil
}

// parseParam parses a parameter with a number from 1 to most, in canonical decimal
// form.
func parseParam(s, name string, most uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > uint64(most) || strconv.FormatUint(n, 10) != digits {
		return 0, fmt.Errorf("parameter %s of password hash is not a number from 1 to %d", name[:1], most)
	}
	return uint32(n), nil
}

func decodeBase64(s string, least, most int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the decoder ignores
		return nil, errors.New("not base64 without padding")
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%d bytes; there must be %d to %d", len(b), least, most)
	}
	return b, nil
}

// CheckHash returns an error unless a text is a password's hash that Verify can
// compare, with parameters within its bounds. The error contains nothing of it.
func CheckHash(text string) error {
	_, err := parseHash(text)
	return err
}
