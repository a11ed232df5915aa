package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// statusPartial is the status of a response that has data and errors: "294
// Partial Success" of GraphQL over HTTP, which is for the media type of that
// specification only.
const statusPartial = 294

// statusOf returns the status of a response without data, by the code of its
// first error: 400 for what cannot be parsed, 422 for what can be parsed and not
// be executed, and those of HTTP for what has a status there.
func statusOf(errs gqlerror.List) int {
	if len(errs) == 0 {
		return http.StatusInternalServerError
	}
	code, _ := errs[0].Extensions["code"].(string)
	switch code {
	case "GRAPHQL_PARSE_FAILED":
		return http.StatusBadRequest
	case "UNAUTHENTICATED":
		return http.StatusUnauthorized
	case "FORBIDDEN":
		return http.StatusForbidden
	case "RATE_LIMITED":
		return http.StatusTooManyRequests
	case "UNAVAILABLE", "NOT_YET_VISIBLE":
		return http.StatusServiceUnavailable
	case "INTERNAL":
		return http.StatusInternalServerError
	default:
		return http.StatusUnprocessableEntity
	}
}

// codeInvalid is the code of a request that breaks a rule.
const codeInvalid = "BAD_USER_INPUT"

// Refuse answers a request that cannot be served for a reason that lies outside
// of GraphQL: with what present tells of the error, in the media type that the
// request accepts. The status is that of a *RequestError, or else the one that
// the error's code has.
func Refuse(w http.ResponseWriter, r *http.Request, present graphql.ErrorPresenterFunc, err error) {
	told := present(r.Context(), err)
	status := statusOf(gqlerror.List{told})
	var bad *RequestError
	switch {
	case errors.As(err, &bad):
		status = bad.Status
	case told.Extensions["code"] == codeInvalid:
		status = http.StatusBadRequest
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	writeErrors(w, acceptedBy(r), status, told)
}

// writeErrors answers without data.
func writeErrors(w http.ResponseWriter, accepts accepted, status int, errs ...*gqlerror.Error) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	setRetryAfter(w, errs)
	write(w, accepts.document(status), status, Encode(map[string]any{"errors": errs}))
}

// writeResponse answers with what came of an operation.
func writeResponse(w http.ResponseWriter, accepts accepted, response *graphql.Response) {
	if response.Data == nil && len(response.Errors) > 0 {
		writeErrors(w, accepts, statusOf(response.Errors), response.Errors...)
		return
	}
	setRetryAfter(w, response.Errors)
	status := http.StatusOK
	if len(response.Errors) > 0 && accepts.document(status) == mediaGraphQL {
		status = statusPartial
	}
	write(w, accepts.document(status), status, EncodeResponse(response))
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

// retryHeader tells of the longest wait among errors in a header too, for those
// who look no further.
func setRetryAfter(w http.ResponseWriter, errs []*gqlerror.Error) {
	longest := 0
	for _, err := range errs {
		if wait, ok := err.Extensions["retryAfter"].(int); ok {
			longest = max(longest, wait)
		}
	}
	if longest > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(longest))
	}
}
