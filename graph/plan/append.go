package plan

import (
	"strconv"
	"time"

	"chirp/graph/scalar"
	"chirp/internal/domain"
)

const hexDigits = "0123456789ABCDEF"

// appendString appends a text as JSON, escaped as gqlgen does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '\\' && c != '"' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '\t':
			b = append(b, `\t`...)
		case '\r':
			b = append(b, `\r`...)
		case '\n':
			b = append(b, `\n`...)
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}

func appendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

func appendInt(b []byte, v int) []byte { return strconv.AppendInt(b, int64(v), 10) }

func appendPosition(b []byte, p domain.Position) []byte { return appendString(b, p.String()) }

func appendTime(b []byte, t time.Time) []byte { return scalar.AppendDateTime(b, t) }
