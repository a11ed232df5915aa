package transport

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// multipartFraming is Apollo's multipart subscription protocol. Each response is the
// payload of a part. A part with an empty object is a heartbeat, and a part with a
// null payload says why the server ends the stream. A client takes a part for
// complete when it sees the boundary after it, so each part ends with one.
type multipartFraming struct{}

const (
	boundary   = "graphql"
	delimiter  = "\r\n--" + boundary
	partHeader = "\r\nContent-Type: application/json\r\n\r\n"
)

func (multipartFraming) contentType() string {
	return mediaMultipart + `; boundary="` + boundary + `"; subscriptionSpec="` + subscriptionSpec + `"`
}

// begin includes a heartbeat, so that the client sees that the stream is open.
func (m multipartFraming) begin() string { return delimiter + m.heartbeat() }

func (multipartFraming) next(response *graphql.Response) string {
	return part(map[string]json.RawMessage{"payload": EncodeResponse(response)})
}

func (multipartFraming) heartbeat() string { return part(struct{}{}) }

func (multipartFraming) abort(err *gqlerror.Error) string {
	return part(map[string]any{"payload": json.RawMessage("null"), "errors": gqlerror.List{err}})
}

// end turns the last boundary into the closing one.
func (multipartFraming) end() string { return "--\r\n" }

func part(v any) string { return partHeader + string(Encode(v)) + delimiter }
