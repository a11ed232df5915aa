package transport

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// multipartFormat is Apollo's multipart subscription protocol: each response is
// the payload of a part, an empty object in a part is a heartbeat, and a part
// without a payload says why the stream is ended from this side. Clients take a
// part for complete when they see the boundary after it, so that follows at once.
type multipartFraming struct{}

const (
	boundary   = "graphql"
	delimiter  = "\r\n--" + boundary
	partHeader = "\r\nContent-Type: application/json\r\n\r\n"
)

func (multipartFraming) contentType() string {
	return mediaMultipart + `; boundary="` + boundary + `"; subscriptionSpec="` + subscriptionSpec + `"`
}

// begin has a heartbeat, so that a client sees the stream open.
func (m multipartFraming) begin() string { return delimiter + m.heartbeat() }

func (multipartFraming) next(response *graphql.Response) string {
	return part(map[string]json.RawMessage{"payload": EncodeResponse(response)})
}

func (multipartFraming) heartbeat() string { return part(struct{}{}) }

func (multipartFraming) abort(why *gqlerror.Error) string {
	return part(map[string]any{"payload": json.RawMessage("null"), "errors": gqlerror.List{why}})
}

// end makes the boundary that was written last the closing one.
func (multipartFraming) end() string { return "--\r\n" }

func part(v any) string { return partHeader + string(Encode(v)) + delimiter }
