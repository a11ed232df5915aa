package guard

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/clip"
	"chirp/internal/domain"
)

// Codes of GraphQL's own, which no kind of error has.
const (
	codeComplexityLimitExceeded = "COMPLEXITY_LIMIT_EXCEEDED"
	codePersistedQueryNotFound  = "PERSISTED_QUERY_NOT_FOUND"
	codeDocumentNotTrusted      = "DOCUMENT_NOT_TRUSTED"
)

// maxMessage is how many bytes a message has at most. Messages quote the
// client's own names and values.
const maxMessage = 400

// refuse returns an error about an operation that is not executed. The executor
// presents it, which gives it the code of its kind.
func refuse(err *domain.Error) *gqlerror.Error {
	return &gqlerror.Error{Message: err.Msg, Err: err}
}

func refusef(kind domain.Kind, format string, args ...any) *gqlerror.Error {
	return refuse(&domain.Error{Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// tooMuch refuses a document or operation that goes beyond a limit, which the
// message has a verb for.
func tooMuch(limit string, most int, message string) *gqlerror.Error {
	err := coded(codeComplexityLimitExceeded, fmt.Sprintf(message, most))
	err.Extensions["limit"], err.Extensions["most"] = limit, most
	return err
}

// unparsable is the error about a text that is no document.
func unparsable(message string, places ...gqlerror.Location) *gqlerror.Error {
	err := coded(errcode.ParseFailed, message)
	err.Locations = places
	return err
}

func invalid(message string) *gqlerror.Error { return coded(errcode.ValidationFailed, message) }

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: clip.Text(message, maxMessage), Extensions: map[string]any{"code": code}}
}

// located puts an error at a place in the document, if that is known.
func located(err *gqlerror.Error, at *ast.Position) *gqlerror.Error {
	if at != nil {
		err.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return err
}
