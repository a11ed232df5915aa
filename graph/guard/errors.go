package guard

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/clip"
	"chirp/internal/domain"
)

// Codes of operations that are not executed, which no kind of error has.
const (
	codeComplexityLimitExceeded = "COMPLEXITY_LIMIT_EXCEEDED"
	codePersistedQueryNotFound  = "PERSISTED_QUERY_NOT_FOUND"
	codeDocumentNotTrusted      = "DOCUMENT_NOT_TRUSTED"
)

// maxMessage is the most bytes that a message has. Messages quote the client's own
// names and values.
const maxMessage = 400

// refuse returns err as an error about an operation that is not executed. The
// executor presents it, which adds the code of its kind.
func refuse(err *domain.Error) *gqlerror.Error {
	return &gqlerror.Error{Message: err.Msg, Err: err}
}

func refusef(kind domain.Kind, format string, args ...any) *gqlerror.Error {
	return refuse(&domain.Error{Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// limitExceeded returns the error about a document or an operation that exceeds a
// limit. The message has a verb for the limit's value.
func limitExceeded(limit string, most int, message string) *gqlerror.Error {
	err := coded(codeComplexityLimitExceeded, fmt.Sprintf(message, most))
	err.Extensions["limit"], err.Extensions["most"] = limit, most
	return err
}

// parseFailed returns the error about a text that is not a document.
func parseFailed(message string, places ...gqlerror.Location) *gqlerror.Error {
	err := coded(errcode.ParseFailed, message)
	err.Locations = places
	return err
}

// validationFailed returns the error about a document that is not valid.
func validationFailed(message string) *gqlerror.Error {
	return coded(errcode.ValidationFailed, message)
}

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: clip.Text(message, maxMessage), Extensions: map[string]any{"code": code}}
}

// located sets the location of an error, if it is known.
func located(err *gqlerror.Error, at *ast.Position) *gqlerror.Error {
	if at != nil {
		err.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return err
}
