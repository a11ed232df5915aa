package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/model"
	"chirp/internal/domain"
)

// methods are those that the endpoint takes.
const methods = "GET, HEAD, OPTIONS, POST"

// httpTransport serves operations by POST, and all but mutations by GET: in one
// JSON document, or as a stream where Accept says so.
type httpTransport struct {
	limits Limits
	live   live
}

// Supports implements graphql.Transport; it takes what no other transport
// does, so as to say what is wrong with it.
func (httpTransport) Supports(*http.Request) bool { return true }

// Do implements graphql.Transport.
func (t httpTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	accepts := acceptedBy(r)
	media := accepts.best(mediaJSON, mediaGraphQL)
	if bad := checkMethod(w, r.Method); bad != nil {
		bad.write(w, media)
		return
	}
	if len(accepts) == 0 {
		writeErrors(w, mediaJSON, http.StatusNotAcceptable,
			refusal(domain.Invalid, "Accept must allow "+mediaGraphQL+", "+mediaJSON+" or "+mediaEvents))
		return
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	params, bad := readParams(w, r, t.limits.Body)
	if bad != nil {
		bad.write(w, media)
		return
	}
	oc, errs := exec.CreateOperationContext(r.Context(), params)
	if errs != nil {
		t.refuse(w, accepts, exec.DispatchError(graphql.WithOperationContext(r.Context(), oc), errs).Errors)
		return
	}
	if bad := allowed(w, r.Method, oc, accepts); bad != nil {
		bad.write(w, media)
		return
	}
	if f := formatOf(mediaFor(oc.Operation.Operation, accepts)); f != nil {
		t.live.serve(w, r, exec, oc, f)
		return
	}
	responses, ctx := exec.DispatchOperation(r.Context(), oc)
	writeResponse(w, media, http.StatusOK, responses(ctx))
}

// refuse answers an operation that is not executed.
func (t httpTransport) refuse(w http.ResponseWriter, accepts accepted, errs gqlerror.List) {
	media := mediaFor(ast.Query, accepts)
	if f := formatOf(media); f != nil {
		t.live.refuse(w, f, errs)
		return
	}
	writeErrors(w, media, statusOf(media, errs), errs...)
}

// mediaFor chooses the media type for the answer to a kind of operation, empty
// if none that is accepted will do. The multipart protocol is one of
// subscriptions, so anything else goes before it.
func mediaFor(kind ast.Operation, accepts accepted) string {
	if kind == ast.Subscription {
		return accepts.best(mediaEvents, mediaMultipart)
	}
	if media := accepts.best(mediaJSON, mediaGraphQL, mediaEvents); media != "" {
		return media
	}
	return accepts.best(mediaMultipart)
}

func checkMethod(w http.ResponseWriter, method string) *badHTTP {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return nil
	default:
		w.Header().Set("Allow", methods)
		return badf(http.StatusMethodNotAllowed, "use POST, or GET for queries")
	}
}

// allowed says whether an operation may come in by a request: a GET must change
// nothing, and a subscription needs a connection that stays open.
func allowed(w http.ResponseWriter, method string, oc *graphql.OperationContext, accepts accepted) *badHTTP {
	switch kind := oc.Operation.Operation; {
	case kind == ast.Mutation && method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return badf(http.StatusMethodNotAllowed, "%s is for queries; send a mutation by POST", method)
	case kind == ast.Subscription && method == http.MethodHead:
		w.Header().Set("Allow", "GET, POST")
		return badf(http.StatusMethodNotAllowed, "HEAD is for queries")
	case mediaFor(kind, accepts) == "":
		return badf(http.StatusBadRequest, `a subscription needs WebSocket (%s), or Accept: %s, or Accept: %s;subscriptionSpec="%s"`,
			subprotocol, mediaEvents, mediaMultipart, subscriptionSpec)
	default:
		return nil
	}
}

// badHTTP is a request that is refused before GraphQL looks at it.
type badHTTP struct {
	status  int
	message string
}

func badf(status int, format string, args ...any) *badHTTP {
	return &badHTTP{status, fmt.Sprintf(format, args...)}
}

func (b *badHTTP) write(w http.ResponseWriter, media string) {
	writeErrors(w, media, b.status, refusal(domain.Invalid, b.message))
}

// readParams reads the GraphQL request out of an HTTP request.
func readParams(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *badHTTP) {
	start := graphql.Now()
	var wire wireParams
	var bad *badHTTP
	if int64(len(r.URL.RawQuery)) > limit {
		return nil, badf(http.StatusRequestURITooLong, "the URL's query has more than %d bytes", limit)
	}
	if r.Method == http.MethodPost {
		wire, bad = fromBody(w, r, limit)
	} else {
		wire, bad = fromURL(r.URL)
	}
	if bad != nil {
		return nil, bad
	}
	wire.Extensions = withDocumentID(wire.Extensions, wire.DocumentID)
	if wire.Query == nil && wire.Extensions["persistedQuery"] == nil && wire.Extensions[documentKey] == nil {
		return nil, badf(http.StatusBadRequest, "the request has no query")
	}
	p := &graphql.RawParams{Variables: wire.Variables, Extensions: wire.Extensions, Headers: r.Header}
	if wire.Query != nil {
		p.Query = *wire.Query
	}
	if wire.OperationName != nil {
		p.OperationName = *wire.OperationName
	}
	p.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return p, nil
}

// wireParams is a GraphQL request as clients write it.
type wireParams struct {
	Query         *string        `json:"query"`
	DocumentID    *string        `json:"documentId"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
}

// bodyTimeout is how long a client may take to send its request.
const bodyTimeout = 30 * time.Second

// answerTimeout is how long a client may take to take in the answer.
const answerTimeout = 30 * time.Second

func fromBody(w http.ResponseWriter, r *http.Request, limit int64) (wireParams, *badHTTP) {
	var wire wireParams
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return wire, badf(http.StatusUnsupportedMediaType, "Content-Type must be %s", mediaJSON)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return wire, badf(http.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // some writers have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = control.SetReadDeadline(time.Time{})
	if errors.As(err, new(*http.MaxBytesError)) {
		return wire, badf(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", limit)
	}
	if err != nil {
		return wire, badf(http.StatusBadRequest, "the request's body could not be read")
	}
	return wire, decodeParams(body, &wire)
}

func decodeParams(body []byte, wire *wireParams) *badHTTP {
	if why := malformed(body); why != "" {
		return badf(http.StatusBadRequest, "the body %s", why)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := decoder.Decode(wire)
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return badf(http.StatusBadRequest, "%s cannot be a JSON %s", mismatch.Field, mismatch.Value)
	case errors.As(err, &mismatch):
		return badf(http.StatusBadRequest, "the body must be one JSON object, not a JSON %s", mismatch.Value)
	case err != nil:
		return badf(http.StatusBadRequest, "the body is not JSON")
	case decoder.More():
		return badf(http.StatusBadRequest, "the body has more than one JSON value")
	}
	return nil
}

func fromURL(u *url.URL) (wireParams, *badHTTP) {
	var wire wireParams
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wire, badf(http.StatusBadRequest, "the URL's query cannot be parsed")
	}
	if values.Has("query") {
		query := values.Get("query")
		wire.Query = &query
	}
	if values.Has("documentId") {
		id := values.Get("documentId")
		wire.DocumentID = &id
	}
	if !utf8.ValidString(values.Get("query")) {
		return wire, badf(http.StatusBadRequest, "the query is not valid UTF-8")
	}
	name := values.Get("operationName")
	wire.OperationName = &name
	for _, field := range []struct {
		name string
		into *map[string]any
	}{{"variables", &wire.Variables}, {"extensions", &wire.Extensions}} {
		text := values.Get(field.name)
		if text == "" {
			continue
		}
		if why := malformed([]byte(text)); why != "" {
			return wire, badf(http.StatusBadRequest, "%s %s", field.name, why)
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(field.into); err != nil || decoder.More() {
			return wire, badf(http.StatusBadRequest, "%s is not a JSON object", field.name)
		}
	}
	return wire, nil
}

// statusOf is the status for an operation that was not executed.
func statusOf(media string, errs gqlerror.List) int {
	if media == mediaJSON {
		return http.StatusOK
	}
	switch errs[0].Extensions["code"] {
	case string(model.ErrorCodeForbidden):
		return http.StatusForbidden
	case string(model.ErrorCodeRateLimited):
		return http.StatusTooManyRequests
	}
	if errcode.GetErrorKind(errs) == errcode.KindProtocol {
		return http.StatusBadRequest
	}
	return http.StatusUnprocessableEntity
}

// refuse answers a request that cannot be served for a reason that lies
// outside of GraphQL.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	media, status := mediaOf(r), http.StatusBadRequest
	switch domain.KindOf(err) {
	case domain.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		status = http.StatusUnauthorized
	case domain.Internal:
		status = http.StatusInternalServerError
	case domain.Unavailable:
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	case domain.RateLimited:
		w.Header().Set("Retry-After", "1")
		status = http.StatusTooManyRequests
	}
	if media == mediaJSON && !asksForSocket(r) && status < http.StatusTooManyRequests {
		status = http.StatusOK
	}
	writeErrors(w, media, status, refusal(domain.KindOf(err), err.Error()))
}

// writeErrors answers without data.
func writeErrors(w http.ResponseWriter, media string, status int, errs ...*gqlerror.Error) {
	retryHeader(w, errs)
	write(w, media, status, encode(map[string]any{"errors": errs}))
}

func writeResponse(w http.ResponseWriter, media string, status int, response *graphql.Response) {
	if response == nil { // the client has gone
		response = &graphql.Response{Errors: gqlerror.List{refusal(domain.Unavailable, "the request was given up")}}
	}
	retryHeader(w, response.Errors)
	write(w, media, status, encodeResponse(response))
}

func write(w http.ResponseWriter, media string, status int, body []byte) {
	if media == "" {
		media = mediaJSON
	}
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // some writers have none
	_, _ = w.Write(body)                                        // an error means that the client has gone
	_ = control.Flush()
	_ = control.SetWriteDeadline(time.Time{}) // the connection may be used again
}
