package graph

import (
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/model"
	"chirp/internal/domain"
)

// statusPartial is the status of a response that has data and errors: "294
// Partial Success" of GraphQL over HTTP, which is for the media type of that
// specification only.
const statusPartial = 294

// statusOf is the status of a response without data, by the code of its first
// error: 400 for what cannot be parsed, 422 for what can be parsed and not be
// executed, and those of HTTP for what has a status there.
func statusOf(errs gqlerror.List) int {
	if len(errs) == 0 {
		return http.StatusInternalServerError
	}
	text, _ := errs[0].Extensions["code"].(string)
	switch model.ErrorCode(text) {
	case model.ErrorCodeGraphqlParseFailed:
		return http.StatusBadRequest
	case model.ErrorCodeUnauthenticated:
		return http.StatusUnauthorized
	case model.ErrorCodeForbidden:
		return http.StatusForbidden
	case model.ErrorCodeRateLimited:
		return http.StatusTooManyRequests
	case model.ErrorCodeUnavailable, model.ErrorCodeNotYetVisible:
		return http.StatusServiceUnavailable
	case model.ErrorCodeInternal:
		return http.StatusInternalServerError
	default:
		return http.StatusUnprocessableEntity
	}
}

// Refuse answers a request that cannot be served for a reason that lies outside
// of GraphQL: with the error's message and code, the status that is its, and in
// the media type that the request accepts.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	kind := domain.KindOf(err)
	e := refusal(kind, err.Error())
	status := statusOf(gqlerror.List{e})
	switch {
	case kind == domain.Invalid:
		status = http.StatusBadRequest
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	writeErrors(w, acceptedBy(r), status, e)
}

// writeErrors answers without data.
func writeErrors(w http.ResponseWriter, accepts accepted, status int, errs ...*gqlerror.Error) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	retryHeader(w, errs)
	write(w, accepts.document(status), status, encode(map[string]any{"errors": errs}))
}

// writeResponse answers with what came of an operation.
func writeResponse(w http.ResponseWriter, accepts accepted, response *graphql.Response) {
	if response == nil { // the client has gone
		response = &graphql.Response{Errors: gqlerror.List{refusal(domain.Unavailable, "the request was given up")}}
	}
	if response.Data == nil && len(response.Errors) > 0 {
		writeErrors(w, accepts, statusOf(response.Errors), response.Errors...)
		return
	}
	retryHeader(w, response.Errors)
	status := http.StatusOK
	if len(response.Errors) > 0 && accepts.document(status) == mediaGraphQL {
		status = statusPartial
	}
	write(w, accepts.document(status), status, encodeResponse(response))
}

func write(w http.ResponseWriter, media string, status int, body []byte) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // some writers have none
	_, _ = w.Write(body)                                        // an error means that the client has gone
	_ = control.Flush()
	_ = control.SetWriteDeadline(time.Time{}) // the connection may be used again
}
