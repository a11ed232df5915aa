package graph

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/clip"
	"chirp/graph/model"
	"chirp/graph/panics"
	"chirp/graph/request"
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

// Presenter turns errors into what the client is told, and logs faults.
type Presenter struct{ Log *slog.Logger }

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
func (p Presenter) tell(ctx context.Context, err error) *gqlerror.Error {
	told := graphql.DefaultErrorPresenter(ctx, err)
	told = &gqlerror.Error{Message: told.Message, Path: responsePath(ctx), Locations: told.Locations, Extensions: told.Extensions}
	var known *domain.Error
	switch {
	case errors.As(err, &known) && known.Kind != domain.Internal:
		told.Message = known.Msg
		setCode(told, known.Kind)
		if known.RetryAfter > 0 {
			told.Extensions["retryAfter"] = int(math.Ceil(known.RetryAfter.Seconds()))
		}
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
	told.Message = clip.Text(told.Message, maxMessage)
	return told
}

// maxMessage is how many bytes of an error's message are told. Messages quote
// the client's own names and values.
const maxMessage = 400

func setCode(e *gqlerror.Error, kind domain.Kind) {
	extensions := maps.Clone(e.Extensions)
	if extensions == nil {
		extensions = map[string]any{}
	}
	extensions["code"] = string(code(kind))
	e.Extensions = extensions
}

// internalMessage begins what a client is told of a fault; an id follows.
const internalMessage = "internal error, id "

// mask writes a fault to the log and gives the text that stands for it.
func (p Presenter) mask(ctx context.Context, err error, told *gqlerror.Error) string {
	id := request.NewID()
	attrs := []slog.Attr{slog.String("id", id), slog.String("path", told.Path.String()), slog.Any("error", err)}
	if from := request.From(ctx).ID; from != "" {
		attrs = append(attrs, slog.String("request", from))
	}
	var broken *panics.Error
	if errors.As(err, &broken) {
		attrs = append(attrs, slog.String("stack", broken.Stack))
	}
	p.Log.LogAttrs(ctx, slog.LevelError, "internal error", attrs...)
	return internalMessage + id
}
