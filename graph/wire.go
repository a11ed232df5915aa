package graph

import (
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/strictjson"
)

// wireParams is a GraphQL request as clients write it. Members by other names,
// be they the same in another case, are ignored.
type wireParams struct {
	Query         *string        `json:"query"`
	DocumentID    *string        `json:"documentId"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
}

// decodeWire reads a request from a JSON text, which what names in a refusal:
// status 400 for a text that is not one JSON value, and 422 for one that is no
// request.
func decodeWire(what string, text []byte) (wireParams, *badHTTP) {
	var wire wireParams
	bad := decodeStrictly(what, text, &wire)
	return wire, bad
}

func decodeStrictly(what string, text []byte, into any) *badHTTP {
	if why := malformed(text); why != "" {
		return badf(http.StatusBadRequest, "%s %s", what, why)
	}
	err := strictjson.Unmarshal(text, into)
	var bad *strictjson.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		return badf(http.StatusBadRequest, "%s cannot be read", what)
	case bad.Malformed:
		return badf(http.StatusBadRequest, "%s %v", what, bad)
	case bad.Member != "":
		return badf(http.StatusUnprocessableEntity, "%.40s cannot be a JSON %s", bad.Member, bad.Kind)
	default:
		return badf(http.StatusUnprocessableEntity, "%s must be one JSON object, not a JSON %s", what, bad.Kind)
	}
}

// fromURL reads a request from the parameters of a URL. An empty parameter is
// as good as none, and one that is there twice is refused: which of the two
// counts is for nobody to guess.
func fromURL(u *url.URL) (wireParams, *badHTTP) {
	var wire wireParams
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wire, badf(http.StatusBadRequest, "the URL's query cannot be parsed")
	}
	texts := map[string]*string{}
	for _, name := range []string{"query", "documentId", "operationName", "variables", "extensions"} {
		switch given := values[name]; {
		case len(given) > 1:
			return wire, badf(http.StatusUnprocessableEntity, "the URL has %s %d times", name, len(given))
		case len(given) == 1 && !utf8.ValidString(given[0]):
			return wire, badf(http.StatusBadRequest, "%s is not valid UTF-8", name)
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

func decodeParameter(name string, texts map[string]*string, into *map[string]any) *badHTTP {
	if texts[name] == nil {
		return nil
	}
	return decodeStrictly(name, []byte(*texts[name]), into)
}

// errNoQuery says that a request names no document.
func errNoQuery() *badHTTP {
	return badf(http.StatusUnprocessableEntity, "the request has no query")
}

// namesDocument reports whether a request says what is to be executed.
func (wire wireParams) namesDocument() bool {
	return wire.Query != nil || wire.DocumentID != nil || wire.Extensions["persistedQuery"] != nil
}

// params is the request as gqlgen takes it. A documentId travels among the
// extensions, where only this puts one.
func (wire wireParams) params() (*graphql.RawParams, *badHTTP) {
	if !wire.namesDocument() {
		return nil, errNoQuery()
	}
	p := &graphql.RawParams{Variables: wire.Variables, Extensions: wire.Extensions}
	delete(p.Extensions, documentKey)
	if wire.DocumentID != nil {
		if p.Extensions == nil {
			p.Extensions = map[string]any{}
		}
		p.Extensions[documentKey] = *wire.DocumentID
	}
	if wire.Query != nil {
		p.Query = *wire.Query
	}
	if wire.OperationName != nil {
		p.OperationName = *wire.OperationName
	}
	return p, nil
}
