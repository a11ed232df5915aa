package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// statusPartial is the status of a response with data and errors: "294 Partial
// Success" of GraphQL over HTTP, only for the media type of that specification.
const statusPartial = 294

// statusOf returns the status of a response without data, by the code of its first
// error: 400 if the document cannot be parsed, the status that HTTP has for such an
// error, or 422.
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

// Refuse responds to a request that cannot be served for a reason outside GraphQL,
// with the error as present presents it, in a media type that the request accepts.
// The status is that of a *RequestError, or else that of the error's code.
func Refuse(w http.ResponseWriter, r *http.Request, present graphql.ErrorPresenterFunc, err error) {
	presented := present(r.Context(), err)
	status := statusOf(gqlerror.List{presented})
	var bad *RequestError
	switch {
	case errors.As(err, &bad):
		status = bad.Status
	case presented.Extensions["code"] == codeInvalid:
		status = http.StatusBadRequest
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	writeErrors(w, acceptedBy(r), status, presented)
}

// writeErrors writes a response without data.
func writeErrors(w http.ResponseWriter, accepts accepted, status int, errs ...*gqlerror.Error) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	setRetryAfter(w, errs)
	write(w, accepts.document(status), status, Encode(map[string]any{"errors": errs}))
}

// writeResponse writes the response of an operation.
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
	if response.Data == nil || len(response.Errors) > 0 || len(response.Extensions) > 0 {
		write(w, accepts.document(status), status, EncodeResponse(response))
		return
	}
	write(w, accepts.document(status), status, []byte(beforeData), response.Data, []byte(afterData))
}

// responseTimeout is how long a client may take to receive a response.
const responseTimeout = 30 * time.Second

// write writes a response that is one document, in some parts.
func write(w http.ResponseWriter, media string, status int, body ...[]byte) {
	size := 0
	for _, part := range body {
		size += len(part)
	}
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.WriteHeader(status)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(responseTimeout)) // not all writers have deadlines
	for _, part := range body {
		_, _ = w.Write(part) // an error means that the client has left
	}
	_ = control.Flush()
	_ = control.SetWriteDeadline(time.Time{}) // for the next request on the connection
}

// setRetryAfter sets the header Retry-After to the longest wait of some errors.
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
