package graph

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/model"
	"chirp/internal/domain"
)

// code gives the extensions.code of a kind of error. The codes that no kind has
// are those of operations that are not executed.
func code(kind domain.Kind) model.ErrorCode {
	switch kind {
	case domain.Invalid:
		return model.ErrorCodeBadUserInput
	case domain.NotFound:
		return model.ErrorCodeNotFound
	case domain.Conflict:
		return model.ErrorCodeConflict
	case domain.UsernameTaken:
		return model.ErrorCodeUsernameTaken
	case domain.AlreadyFollowing:
		return model.ErrorCodeAlreadyFollowing
	case domain.NotFollowing:
		return model.ErrorCodeNotFollowing
	case domain.Unauthenticated:
		return model.ErrorCodeUnauthenticated
	case domain.Forbidden:
		return model.ErrorCodeForbidden
	case domain.NotYetVisible:
		return model.ErrorCodeNotYetVisible
	case domain.CursorInvalid:
		return model.ErrorCodeCursorInvalid
	case domain.RateLimited:
		return model.ErrorCodeRateLimited
	case domain.Unavailable:
		return model.ErrorCodeUnavailable
	default:
		return model.ErrorCodeInternal
	}
}

// fault is an error that a resolver returned, as opposed to one about an
// operation that is not executed.
type fault struct{ error }

// Unwrap gives the resolver's error.
func (f fault) Unwrap() error { return f.error }

// presenter makes of errors what the client is told.
type presenter struct{ log *slog.Logger }

// markFaults is a field middleware that lets tell know a resolver's errors.
func markFaults(ctx context.Context, next graphql.Resolver) (any, error) {
	v, err := next(ctx)
	if err != nil {
		err = fault{err}
	}
	return v, err
}

// tell keeps the place, and of the error what the client may
// know: the message and code of a *domain.Error, and for a fault of ours an id
// under which the log has it.
func (p presenter) tell(ctx context.Context, err error) *gqlerror.Error {
	told := graphql.DefaultErrorPresenter(ctx, err)
	told = &gqlerror.Error{Message: told.Message, Path: responsePath(ctx), Locations: told.Locations, Extensions: told.Extensions}
	var known *domain.Error
	switch {
	case errors.As(err, &known) && known.Kind != domain.Internal:
		told.Message = known.Msg
		setCode(told, known.Kind)
		hint(told, known.RetryAfter)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		told.Message = "the request was given up"
		setCode(told, domain.Unavailable)
	case errors.Is(err, context.DeadlineExceeded):
		told.Message = "this took too long; try again"
		setCode(told, domain.Unavailable)
	case errors.As(err, new(fault)) || told.Extensions["code"] == nil:
		// What gqlgen says by itself once input was judged is a fault too.
		told.Message = p.mask(ctx, err, told)
		setCode(told, domain.Internal)
	}
	told.Message = shorten(told.Message, maxMessage)
	return told
}

// maxMessage is how many bytes of an error's message are told. Messages quote
// the client's own names and values.
const maxMessage = 400

// shorten cuts a text to a number of bytes.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}

func setCode(e *gqlerror.Error, kind domain.Kind) {
	e.Extensions = map[string]any{"code": string(code(kind))}
}

// internalMessage begins what a client is told of a fault; an id follows.
const internalMessage = "internal error, id "

// mask writes a fault to the log and gives the text that stands for it.
func (p presenter) mask(ctx context.Context, err error, told *gqlerror.Error) string {
	id := randomID()
	attrs := []slog.Attr{slog.String("id", id), slog.String("path", told.Path.String()), slog.Any("error", err)}
	if r, ok := callFrom(ctx); ok {
		attrs = append(attrs, slog.String("request", r.id))
	}
	var broken panicked
	if errors.As(err, &broken) {
		attrs = append(attrs, slog.String("stack", broken.stack))
	}
	p.log.LogAttrs(ctx, slog.LevelError, "internal error", attrs...)
	return internalMessage + id
}

// panicked is a panic that was recovered.
type panicked struct {
	value any
	stack string
}

// Error gives the panic's value.
func (p panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func recovered(_ context.Context, value any) error {
	return panicked{value: value, stack: string(debug.Stack())}
}

// randomID gives 16 hexadecimal digits.
func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// refusal is an error about an operation that is not executed.
func refusal(kind domain.Kind, message string) *gqlerror.Error {
	e := &gqlerror.Error{Message: message}
	setCode(e, kind)
	return e
}
