package request

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// Rest lets a subscription give up the goroutine that asks for its responses, while
// there are none. A transport that can do without that goroutine puts one into the
// context of the operation.
type Rest struct {
	// Wake is the transport's. The subscription calls it once for each time that it
	// rests, soon after there may be a response. It does not wait.
	Wake func()

	// Resting is set by the subscription before it returns no response: it has not ended,
	// but rests.
	Resting bool
	// Try is set by the subscription when it rests. It returns the next response if there
	// is one that takes no waiting, and nil otherwise. It is called instead of asking for
	// a response, and sets Resting if there is nothing after that response.
	Try func() *graphql.Response
}

type restKey struct{}

// WithRest returns a context that carries an operation's rest.
func WithRest(ctx context.Context, r *Rest) context.Context {
	return context.WithValue(ctx, restKey{}, r)
}

// RestOf returns the rest that a context carries, or nil.
func RestOf(ctx context.Context) *Rest {
	r, _ := ctx.Value(restKey{}).(*Rest)
	return r
}
