package transport

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// eventFormat is server-sent events, one operation to a request ("distinct
// connections" of the GraphQL over SSE protocol): an event "next" for each
// response, and "complete" at the end.
type eventFraming struct{}

func (eventFraming) contentType() string { return mediaEvents + "; charset=utf-8" }

func (eventFraming) begin() string { return ":\n\n" }

func (eventFraming) next(response *graphql.Response) string {
	return fmt.Sprintf("event: next\ndata: %s\n\n", EncodeResponse(response))
}

// beat is a comment, which clients pass over.
func (eventFraming) heartbeat() string { return ": ping\n\n" }

func (e eventFraming) abort(why *gqlerror.Error) string {
	return e.next(&graphql.Response{Errors: gqlerror.List{why}})
}

// end has a line of data, for a browser drops an event that has none.
func (eventFraming) end() string { return "event: complete\ndata:\n\n" }
