package archive

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendCanonical appends a JSON value in its canonical form: without white space
// or unnecessary escapes, and with numbers as appendNumber writes them. The keys
// of objects keep their order.
func appendCanonical(dst []byte, data json.RawMessage) ([]byte, error) {
	if !json.Valid(data) {
		return nil, fmt.Errorf("data %.40q is not JSON", data)
	}
	for i := 0; i < len(data); {
		switch c := data[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"':
			n := stringLen(data[i:])
			dst = appendQuoted(dst, data[i:i+n])
			i += n
		case c == '-' || '0' <= c && c <= '9':
			n := 1
			for i+n < len(data) && strings.IndexByte("+-.eE0123456789", data[i+n]) >= 0 {
				n++
			}
			dst = appendNumber(dst, string(data[i:i+n]))
			i += n
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst, nil
}

// stringLen returns the length of the JSON string that data begins with, including
// the quotes.
func stringLen(data []byte) int {
	for i := 1; ; i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// appendQuoted appends a JSON string, however it is escaped.
func appendQuoted(dst, quoted []byte) []byte {
	for _, c := range quoted {
		if c == '\\' || c >= utf8.RuneSelf {
			var text string
			if err := json.Unmarshal(quoted, &text); err != nil {
				return append(dst, quoted...) // cannot happen, because the whole value is valid
			}
			return appendString(dst, text)
		}
	}
	return append(dst, quoted...)
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			if c < 0x20 {
				dst = fmt.Appendf(dst, `\u%04x`, c)
			} else {
				dst = append(dst, '\\', c)
			}
			start = i + 1
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// plainDigits is the most digits before or after the decimal point in a number
// that is written without an exponent.
const plainDigits = 25

// appendNumber appends a number in the canonical form of its value: the digits
// without redundant zeros at either end, and with an exponent only if there would
// be too many digits without one. So 1e3, 1000.0 and 1000 all become 1000.
func appendNumber(dst []byte, literal string) []byte {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	power, err := strconv.ParseInt(exponent, 10, 32)
	if err != nil && exponent != "" {
		return append(dst, literal...) // an exponent out of range
	}
	if rest, negative := strings.CutPrefix(mantissa, "-"); negative {
		dst, mantissa = append(dst, '-'), rest
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + int(power) // digits before the point
	digits = strings.TrimRight(digits, "0")
	switch {
	case digits == "":
		return append(dst, '0')
	case point >= len(digits) && point <= plainDigits:
		return append(append(dst, digits...), strings.Repeat("0", point-len(digits))...)
	case point > 0 && point < len(digits):
		return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
	case point <= 0 && point > -plainDigits:
		return append(append(append(dst, "0."...), strings.Repeat("0", -point)...), digits...)
	default:
		return strconv.AppendInt(append(append(dst, digits...), 'e'), int64(point-len(digits)), 10)
	}
}
