package format

import (
	"bytes"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// appendPlain is appendAny for an object without white space whose values are strings
// without escapes, which is what nearly all events have, at a tenth of the cost. For any
// other value it returns false.
func appendPlain(dst []byte, key string, data []byte) ([]byte, bool) {
	if !utf8.Valid(data) || len(data) == 0 || data[0] != '{' {
		return nil, false
	}
	at, dst := bsoncore.AppendDocumentElementStart(dst, key)
	for more := true; more; {
		var name, value string
		var ok bool
		if name, data, ok = plainString(data[1:]); !ok || len(data) == 0 || data[0] != ':' {
			return nil, false
		}
		if value, data, ok = plainString(data[1:]); !ok || len(data) == 0 {
			return nil, false
		}
		dst = bsoncore.AppendStringElement(dst, name, value)
		more = data[0] == ','
	}
	if string(data) != "}" {
		return nil, false
	}
	dst, err := bsoncore.AppendDocumentEnd(dst, at)
	return dst, err == nil
}

// plainString returns the JSON string at the beginning of data and what follows it,
// unless the string has an escape or a control character.
func plainString(data []byte) (s string, rest []byte, ok bool) {
	if len(data) == 0 || data[0] != '"' {
		return "", nil, false
	}
	end := bytes.IndexByte(data[1:], '"') + 1
	if end == 0 {
		return "", nil, false
	}
	for _, c := range data[1:end] {
		if c < 0x20 || c == '\\' {
			return "", nil, false
		}
	}
	return string(data[1:end]), data[end+1:], true
}
