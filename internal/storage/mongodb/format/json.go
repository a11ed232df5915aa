package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// maxDepth is how deeply an event's data may be nested. The server allows 180
// levels, one of which is the event's document.
const maxDepth = 100

// appendJSON appends a JSON value to a document under a key, so that a reader of
// the database sees fields and not a string. It loses nothing of the value: the keys
// keep their order, and a number becomes an int64, a double or a decimal, the first
// of these that holds exactly the digits that were written.
func appendJSON(dst []byte, key string, data []byte) ([]byte, error) {
	if plain, ok := appendPlain(dst, key, data); ok {
		return plain, nil
	}
	return appendAny(dst, key, data)
}

// appendAny is appendJSON for any value.
func appendAny(dst []byte, key string, data []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	dst, err := appendValue(dst, key, d, 0)
	if err != nil {
		return nil, fmt.Errorf("data %.40q: %w", data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("data %.40q: more than one JSON value", data)
	}
	return dst, nil
}

// appendValue appends the decoder's next value.
func appendValue(dst []byte, key string, d *json.Decoder, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	if strings.Contains(key, "\x00") {
		return nil, fmt.Errorf("the key %q has a zero byte, which MongoDB cannot keep", key)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return appendArray(dst, key, d, depth)
		}
		return appendObject(dst, key, d, depth)
	case string:
		return bsoncore.AppendStringElement(dst, key, v), nil
	case json.Number:
		return appendNumber(dst, key, v.String())
	case bool:
		return bsoncore.AppendBooleanElement(dst, key, v), nil
	default:
		return bsoncore.AppendNullElement(dst, key), nil
	}
}

// appendObject appends an object whose first token was read.
func appendObject(dst []byte, key string, d *json.Decoder, depth int) ([]byte, error) {
	at, dst := bsoncore.AppendDocumentElementStart(dst, key)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder allows nothing else here
		if dst, err = appendValue(dst, name, d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return bsoncore.AppendDocumentEnd(dst, at)
}

// appendArray appends an array whose first token was read.
func appendArray(dst []byte, key string, d *json.Decoder, depth int) ([]byte, error) {
	at, dst := bsoncore.AppendArrayElementStart(dst, key)
	for i := 0; d.More(); i++ {
		var err error
		if dst, err = appendValue(dst, strconv.Itoa(i), d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return bsoncore.AppendArrayEnd(dst, at)
}

// appendNumber appends a number as appendJSON says, or returns an error if no type of
// BSON holds it.
func appendNumber(dst []byte, key, literal string) ([]byte, error) {
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil && literal != "-0" {
		return bsoncore.AppendInt64Element(dst, key, n), nil
	}
	want := significant(literal)
	if f, err := strconv.ParseFloat(literal, 64); err == nil && significant(formatDouble(f)) == want {
		return bsoncore.AppendDoubleElement(dst, key, f), nil
	}
	if d, err := bson.ParseDecimal128(literal); err == nil && significant(d.String()) == want {
		high, low := d.GetBytes()
		return bsoncore.AppendDecimal128Element(dst, key, high, low), nil
	}
	return nil, fmt.Errorf("the number %.40s has more digits than MongoDB can keep", literal)
}

// significant returns a canonical form of a JSON number, which equal numbers share:
// the sign, the digits without zeros at either end, and the power of ten.
func significant(literal string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	power, _ := strconv.Atoi(exponent) // no exponent is 0; an absurd one fails to parse elsewhere
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return sign + "0"
	}
	return sign + trimmed + "e" + strconv.Itoa(power-len(fraction)+len(digits)-len(trimmed))
}

// formatDouble returns the shortest decimal that reads as the same double.
func formatDouble(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// writeJSON writes a BSON value as JSON. It knows the types that appendJSON writes,
// and int32.
func writeJSON(out *bytes.Buffer, v bsoncore.Value) error {
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument:
		return writeElements(out, v.Document(), '{', '}')
	case bsoncore.TypeArray:
		return writeElements(out, bsoncore.Document(v.Array()), '[', ']')
	case bsoncore.TypeString:
		writeString(out, v.StringValue())
	case bsoncore.TypeInt64:
		out.WriteString(strconv.FormatInt(v.Int64(), 10))
	case bsoncore.TypeInt32:
		out.WriteString(strconv.FormatInt(int64(v.Int32()), 10))
	case bsoncore.TypeDouble:
		f := v.Double()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("the number %v has no JSON form", f)
		}
		out.WriteString(formatDouble(f))
	case bsoncore.TypeDecimal128:
		d := bson.NewDecimal128(v.Decimal128())
		if d.IsNaN() || d.IsInf() != 0 {
			return fmt.Errorf("the number %s has no JSON form", d)
		}
		out.WriteString(d.String())
	case bsoncore.TypeBoolean:
		out.WriteString(strconv.FormatBool(v.Boolean()))
	case bsoncore.TypeNull:
		out.WriteString("null")
	default:
		return fmt.Errorf("a value of BSON type %s, which no event has", v.Type)
	}
	return nil
}

// writeElements writes the elements of an object or an array.
func writeElements(out *bytes.Buffer, d bsoncore.Document, begin, end byte) error {
	elements, err := d.Elements()
	if err != nil {
		return errors.Join(errors.New("malformed BSON"), err)
	}
	out.WriteByte(begin)
	for i, e := range elements {
		if i > 0 {
			out.WriteByte(',')
		}
		if begin == '{' {
			writeString(out, e.Key())
			out.WriteByte(':')
		}
		if err := writeJSON(out, e.Value()); err != nil {
			return err
		}
	}
	out.WriteByte(end)
	return nil
}

// writeString writes a JSON string with only the escapes that JSON requires.
func writeString(out *bytes.Buffer, s string) {
	out.WriteByte('"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			out.WriteString(s[start:i])
			if c < 0x20 {
				fmt.Fprintf(out, `\u%04x`, c)
			} else {
				out.Write([]byte{'\\', c})
			}
			start = i + 1
		}
	}
	out.WriteString(s[start:])
	out.WriteByte('"')
}
