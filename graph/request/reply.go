package request

import "context"

// Reply counts the bytes of an operation's responses from when they are computed until
// the client has read them.
type Reply interface {
	// Add counts n bytes that have been computed for the operation.
	Add(n int)
	// Wait waits until there is room for more. It returns the error of ctx if that ends
	// first.
	Wait(ctx context.Context) error
	// TryAdd counts n bytes that have been computed for another operation if there is
	// room for a copy, and reports whether there is.
	TryAdd(n int) bool
}

type replyKey struct{}

// WithReply returns a context that carries an operation's reply.
func WithReply(ctx context.Context, r Reply) context.Context {
	return context.WithValue(ctx, replyKey{}, r)
}

// ReplyOf returns the reply that a context carries. Without one it returns a reply that
// does not count.
func ReplyOf(ctx context.Context) Reply {
	if r, ok := ctx.Value(replyKey{}).(Reply); ok {
		return r
	}
	return uncounted{}
}

type uncounted struct{}

func (uncounted) Add(int) {}

func (uncounted) Wait(ctx context.Context) error { return ctx.Err() }

func (uncounted) TryAdd(int) bool { return true }
