// Package strictjson decodes untrusted JSON that has only one interpretation: a
// text is a single value in UTF-8 without lone surrogates, no object has a member
// twice, and member names match exactly. By contrast, encoding/json matches names
// in any case, lets the last duplicate win, and repairs invalid text.
package strictjson

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Error says why a text is refused. The message follows the text's name, as in
// "the body is not JSON".
type Error struct {
	// Malformed is set if the text itself is invalid, as opposed to a value of
	// the wrong kind.
	Malformed bool
	// Member is the member of the outermost object whose value is of the wrong
	// kind, empty for the whole text.
	Member string
	// Kind is the JSON kind of that value, such as "number".
	Kind string

	message string
}

// Error implements error.
func (e *Error) Error() string { return e.message }

// Unmarshal decodes a text. It ignores members that the target does not have,
// unless there are errors inside them. A number whose target is an any becomes a
// json.Number of encoding/json, so that it keeps its precision. Every error is an
// *Error.
func Unmarshal(text []byte, into any) error { return decode(text, into, numbers) }

// UnmarshalKnown is Unmarshal, but refuses members that the target does not have.
func UnmarshalKnown(text []byte, into any) error {
	return decode(text, into, numbers, json.RejectUnknownMembers(true))
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

// complete reports whether the bytes before an offset are a whole JSON value.
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

// numbers decodes a number whose target is an any as a json.Number. There is one for all,
// because it remembers how to decode the types that it has met.
var numbers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, into *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	value, err := d.ReadValue()
	*into = stdjson.Number(value)
	return err
}))
