package transport

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/guard"
	"chirp/internal/strictjson"
)

// Params is a GraphQL request as clients send it. Other members are ignored, even if
// their names differ only in case.
type Params struct {
	Query         *string        `json:"query"`
	DocumentID    *string        `json:"documentId"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
}

// Decode decodes a request from a JSON text, which errors call what. The status of
// an error is 400 for a text that is not one JSON value, and 422 for one that is not
// a request.
func Decode(what string, text []byte) (Params, *RequestError) {
	var wire Params
	bad := DecodeStrictly(what, text, &wire)
	return wire, bad
}

// DecodeStrictly decodes a JSON text, as Decode does.
func DecodeStrictly(what string, text []byte, into any) *RequestError {
	if why := guard.CheckJSON(text); why != "" {
		return Errorf(http.StatusBadRequest, "%s %s", what, why)
	}
	err := strictjson.Unmarshal(text, into)
	var bad *strictjson.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		return Errorf(http.StatusBadRequest, "%s cannot be read", what)
	case bad.Malformed:
		return Errorf(http.StatusBadRequest, "%s %v", what, bad)
	case bad.Member != "":
		return Errorf(http.StatusUnprocessableEntity, "%.40s cannot be a JSON %s", bad.Member, bad.Kind)
	default:
		return Errorf(http.StatusUnprocessableEntity, "%s must be one JSON object, not a JSON %s", what, bad.Kind)
	}
}

// fromURL decodes a request from the parameters of a URL. An empty parameter counts
// as absent. A repeated one is an error, because it is not clear which one is meant.
func fromURL(u *url.URL) (Params, *RequestError) {
	var wire Params
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wire, Errorf(http.StatusBadRequest, "the URL's query cannot be parsed")
	}
	texts := map[string]*string{}
	for _, name := range []string{"query", "documentId", "operationName", "variables", "extensions"} {
		switch given := values[name]; {
		case len(given) > 1:
			return wire, Errorf(http.StatusUnprocessableEntity, "the URL has %s %d times", name, len(given))
		case len(given) == 1 && !utf8.ValidString(given[0]):
			return wire, Errorf(http.StatusBadRequest, "%s is not valid UTF-8", name)
		case len(given) == 1 && given[0] != "":
			texts[name] = &given[0]
		}
	}
	wire.Query, wire.DocumentID, wire.OperationName = texts["query"], texts["documentId"], texts["operationName"]
	bad := decodeParameter("variables", texts, &wire.Variables)
	if bad == nil {
		bad = decodeParameter("extensions", texts, &wire.Extensions)
	}
	return wire, bad
}

func decodeParameter(name string, texts map[string]*string, into *map[string]any) *RequestError {
	if texts[name] == nil {
		return nil
	}
	return DecodeStrictly(name, []byte(*texts[name]), into)
}

// errNoQuery returns the error about a request without a document.
func errNoQuery() *RequestError {
	return Errorf(http.StatusUnprocessableEntity, "the request has no query")
}

// NamesDocument reports whether a request has a document, or names one.
func (wire Params) NamesDocument() bool {
	return wire.Query != nil || wire.DocumentID != nil || wire.Extensions["persistedQuery"] != nil
}

// Raw returns the request as gqlgen takes it. It passes a documentId in the
// extensions, after removing one that the client put there.
func (wire Params) Raw() (*graphql.RawParams, *RequestError) {
	if !wire.NamesDocument() {
		return nil, errNoQuery()
	}
	p := &graphql.RawParams{Variables: wire.Variables, Extensions: wire.Extensions}
	delete(p.Extensions, guard.DocumentIDKey)
	if wire.DocumentID != nil {
		if p.Extensions == nil {
			p.Extensions = map[string]any{}
		}
		p.Extensions[guard.DocumentIDKey] = *wire.DocumentID
	}
	if wire.Query != nil {
		p.Query = *wire.Query
	}
	if wire.OperationName != nil {
		p.OperationName = *wire.OperationName
	}
	return p, nil
}

// beforeData and afterData are what surrounds the data of a response that has nothing else.
const beforeData, afterData = `{"data":`, `}`

// IsPlain reports whether a response has nothing but data.
func IsPlain(response *graphql.Response) bool {
	return response.Data != nil && len(response.Errors) == 0 && len(response.Extensions) == 0
}

// EncodeResponse returns a response as JSON. A response with errors and no data has
// no member data, rather than one that is null.
func EncodeResponse(response *graphql.Response) []byte {
	switch {
	case response.Data == nil && len(response.Errors) > 0:
		return Encode(map[string]any{"errors": response.Errors})
	case IsPlain(response):
		b := make([]byte, 0, len(beforeData)+len(response.Data)+len(afterData))
		return append(append(append(b, beforeData...), response.Data...), afterData...)
	default:
		return Encode(response)
	}
}

// Encode returns v as JSON. v must be encodable.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
