// Package strictjson decodes JSON that strangers send, so that it can be read
// in one way only: a text is one value and nothing after it, in UTF-8 and
// without half a surrogate pair, no object in it has a member twice, and
// members are known by their exact names. encoding/json takes a name in any
// case, lets the last of several win, and mends broken text.
package strictjson

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Error says why a text is refused, in words that follow the text's name, as
// in "the body is not JSON".
type Error struct {
	// Malformed reports that the text itself is wrong, as opposed to a value in
	// it that is not of the kind that is wanted.
	Malformed bool
	// Member is the member of the outermost object whose value is not of the
	// kind that is wanted, empty for the whole text.
	Member string
	// Kind is the JSON kind of that value, such as "number".
	Kind string

	message string
}

// Error implements error.
func (e *Error) Error() string { return e.message }

// Unmarshal decodes a text. Members that the target does not have are ignored,
// but not what is wrong inside of them. Numbers whose target is an any become a
// json.Number of encoding/json, which loses nothing. Every error is an *Error.
func Unmarshal(text []byte, into any) error { return decode(text, into, numbers()) }

// UnmarshalKnown is Unmarshal for a text that may have no other members than
// the target.
func UnmarshalKnown(text []byte, into any) error {
	return decode(text, into, numbers(), json.RejectUnknownMembers(true))
}

// Check reports what is wrong with a text, whatever it is about.
func Check(text []byte) error {
	var value jsontext.Value
	return decode(text, &value)
}

func decode(text []byte, into any, options ...json.Options) error {
	err := json.Unmarshal(text, into, options...)
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntax):
		return &Error{Malformed: true, message: describe(syntax, text)}
	case errors.As(err, &semantic):
		return mismatch(semantic)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Malformed: true, message: "is not JSON: it ends too early"}
	default:
		return &Error{message: fmt.Sprintf("cannot be read: %v", err)}
	}
}

func describe(err *jsontext.SyntacticError, text []byte) string {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Sprintf("has the member %.40q twice in one object", err.JSONPointer.LastToken())
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "is not JSON: it ends too early"
	case err.JSONPointer == "" && complete(text, err.ByteOffset):
		return "has something after its JSON value"
	default:
		return fmt.Sprintf("is not JSON: byte %d is out of place", err.ByteOffset)
	}
}

// complete reports whether the bytes before an offset are a JSON value.
func complete(text []byte, offset int64) bool {
	if offset <= 0 || offset > int64(len(text)) {
		return false
	}
	return jsontext.Value(text[:offset]).IsValid()
}

func mismatch(err *json.SemanticError) *Error {
	e := &Error{Kind: kindName(err.JSONKind)}
	for name := range err.JSONPointer.Tokens() {
		e.Member = name
		break
	}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		e.message = fmt.Sprintf("has the member %.40q, which is not known", err.JSONPointer.LastToken())
	case e.Member == "":
		e.message = "cannot be a JSON " + e.Kind
	default:
		e.message = fmt.Sprintf("has a member %.40q that cannot be a JSON %s", e.Member, e.Kind)
	}
	return e
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '[':
		return "array"
	case '{':
		return "object"
	default:
		return "value"
	}
}

// numbers keeps numbers as they are written.
func numbers() json.Options {
	return json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, into *any) error {
		if d.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		value, err := d.ReadValue()
		*into = stdjson.Number(value)
		return err
	}))
}
