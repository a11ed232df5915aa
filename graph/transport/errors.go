package transport

import (
	"fmt"
	"net/http"

	"chirp/internal/domain"
)

// RequestError is why a request is refused before it reaches GraphQL.
type RequestError struct {
	Status  int
	Message string
}

// Errorf returns a *RequestError with a formatted message.
func Errorf(status int, format string, args ...any) *RequestError {
	return &RequestError{status, fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *RequestError) Error() string { return e.Message }

// Unwrap returns the *domain.Error to present.
func (e *RequestError) Unwrap() error {
	kind := domain.Invalid
	switch e.Status {
	case http.StatusForbidden:
		kind = domain.Forbidden
	case http.StatusInternalServerError:
		kind = domain.Internal
	}
	return &domain.Error{Kind: kind, Msg: e.Message}
}
