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

// codeOf returns the extensions.code of a kind of error. The other codes of the
// schema are for operations that are not executed.
func codeOf(kind domain.Kind) model.ErrorCode {
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

// resolverError is an error that a resolver returned, as opposed to one about an
// operation that is not executed.
type resolverError struct{ error }

// Unwrap returns the error that the resolver returned.
func (e resolverError) Unwrap() error { return e.error }

// Presenter turns errors into those that the client sees, and logs internal ones.
type Presenter struct{ Log *slog.Logger }

// markResolverErrors wraps the errors of resolvers, so that translate can tell
// them from gqlgen's own. It is a field middleware.
func markResolverErrors(ctx context.Context, next graphql.Resolver) (any, error) {
	v, err := next(ctx)
	if err != nil {
		err = resolverError{err}
	}
	return v, err
}

// translate returns what the client sees of an error: where it happened, and the
// message and code of a *domain.Error. For an internal error the message is an id,
// under which the log has the error.
func (p Presenter) translate(ctx context.Context, err error) *gqlerror.Error {
	presented := graphql.DefaultErrorPresenter(ctx, err)
	presented = &gqlerror.Error{Message: presented.Message, Path: responsePath(ctx), Locations: presented.Locations, Extensions: presented.Extensions}
	var known *domain.Error
	switch {
	case errors.As(err, &known) && known.Kind != domain.Internal:
		presented.Message = known.Msg
		setCode(presented, known.Kind)
		if known.RetryAfter > 0 {
			presented.Extensions["retryAfter"] = int(math.Ceil(known.RetryAfter.Seconds()))
		}
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		presented.Message = "the request was canceled"
		setCode(presented, domain.Unavailable)
	case errors.Is(err, context.DeadlineExceeded):
		presented.Message = "this took too long; try again"
		setCode(presented, domain.Unavailable)
	case errors.As(err, new(resolverError)) || presented.Extensions["code"] == nil:
		// Guards check all input, so any other error of gqlgen is internal as well.
		presented.Message = p.mask(ctx, err, presented)
		presented.Extensions = nil // they would show what the message hides
		setCode(presented, domain.Internal)
	}
	presented.Message = clip.Text(presented.Message, maxMessage)
	return presented
}

// maxMessage is the most bytes that a message has. Messages quote the client's own
// names and values.
const maxMessage = 400

func setCode(e *gqlerror.Error, kind domain.Kind) {
	extensions := maps.Clone(e.Extensions)
	if extensions == nil {
		extensions = map[string]any{}
	}
	extensions["code"] = string(codeOf(kind))
	e.Extensions = extensions
}

// internalMessage begins the message of an internal error. An id follows.
const internalMessage = "internal error, id "

// mask logs an internal error and returns the message to show in its place.
func (p Presenter) mask(ctx context.Context, err error, presented *gqlerror.Error) string {
	id := request.NewID()
	attrs := []slog.Attr{slog.String("id", id), slog.String("path", presented.Path.String()), slog.Any("error", err)}
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
