package transport

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// eventFraming is server-sent events, with one operation per request ("distinct
// connections mode" of the GraphQL over SSE protocol): an event "next" for each
// response, and "complete" at the end.
type eventFraming struct{}

func (eventFraming) contentType() string { return mediaEvents + "; charset=utf-8" }

func (eventFraming) begin() string { return ":\n\n" }

func (eventFraming) next(response *graphql.Response) string {
	return fmt.Sprintf("event: next\ndata: %s\n\n", EncodeResponse(response))
}

// heartbeat returns a comment, which clients ignore.
func (eventFraming) heartbeat() string { return ": ping\n\n" }

func (e eventFraming) abort(err *gqlerror.Error) string {
	return e.next(&graphql.Response{Errors: gqlerror.List{err}})
}

// end returns an event with an empty data line, because browsers drop an event that
// has none.
func (eventFraming) end() string { return "event: complete\ndata:\n\n" }
