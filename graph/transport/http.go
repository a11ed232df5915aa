package transport

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/domain"
)

// methods are the methods of the endpoint.
const methods = "GET, HEAD, OPTIONS, POST"

// httpTransport serves operations by POST, and all but mutations by GET as well. It
// responds with one JSON document, or with a stream if Accept asks for one.
type httpTransport struct {
	*Service
	streams streamTransport
}

// serve serves a request, or refuses it.
func (t httpTransport) serve(w http.ResponseWriter, r *http.Request) {
	accepts := acceptedBy(r)
	if bad := checkMethod(w, r.Method); bad != nil {
		t.Refuse(w, r, bad)
		return
	}
	if len(accepts) == 0 {
		t.Refuse(w, r, Errorf(http.StatusNotAcceptable, "Accept must allow %s, %s or %s", mediaGraphQL, mediaJSON, mediaEvents))
		return
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	params, bad := readParams(w, r, t.Limits.Body)
	if bad != nil {
		t.Refuse(w, r, bad)
		return
	}
	oc, errs := t.Executor.CreateOperationContext(r.Context(), params)
	if errs != nil {
		t.refuse(w, accepts, t.Executor.DispatchError(graphql.WithOperationContext(r.Context(), oc), errs).Errors)
		return
	}
	if bad := checkAllowed(w, r.Method, oc, accepts); bad != nil {
		t.Refuse(w, r, bad)
		return
	}
	if f := framingFor(mediaFor(oc.Operation.Operation, accepts)); f != nil {
		t.streams.serve(w, r, oc, f)
		return
	}
	responses, ctx := t.Executor.DispatchOperation(r.Context(), oc)
	response := responses(ctx)
	if response == nil { // the client has left
		response = &graphql.Response{Errors: gqlerror.List{t.Present(ctx, domain.Errorf(domain.Unavailable, "the request was canceled"))}}
	}
	writeResponse(w, accepts, response)
}

// refuse responds to an operation that is not executed.
func (t httpTransport) refuse(w http.ResponseWriter, accepts accepted, errs gqlerror.List) {
	media := mediaFor(ast.Query, accepts)
	if f := framingFor(media); f != nil {
		t.streams.refuse(w, f, errs)
		return
	}
	writeErrors(w, accepts, statusOf(errs), errs...)
}

// mediaFor returns the media type for the response to a kind of operation, or "" if
// none of the accepted ones is possible. The multipart protocol is for
// subscriptions, so that other operations use it only if nothing else is accepted.
func mediaFor(kind ast.Operation, accepts accepted) string {
	if kind == ast.Subscription {
		return accepts.best(mediaEvents, mediaMultipart)
	}
	if media := accepts.best(mediaJSON, mediaGraphQL, mediaEvents); media != "" {
		return media
	}
	return accepts.best(mediaMultipart)
}

// checkMethod returns an error if the endpoint does not have a method.
func checkMethod(w http.ResponseWriter, method string) *RequestError {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return nil
	default:
		w.Header().Set("Allow", methods)
		return Errorf(http.StatusMethodNotAllowed, "use POST, or GET for queries")
	}
}

// checkAllowed returns an error if an operation is not allowed in a request: a GET
// must not change anything, and a subscription needs a stream.
func checkAllowed(w http.ResponseWriter, method string, oc *graphql.OperationContext, accepts accepted) *RequestError {
	switch kind := oc.Operation.Operation; {
	case kind == ast.Mutation && method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return Errorf(http.StatusMethodNotAllowed, "%s is for queries; send a mutation by POST", method)
	case kind == ast.Subscription && method == http.MethodHead:
		w.Header().Set("Allow", "GET, POST")
		return Errorf(http.StatusMethodNotAllowed, "HEAD is for queries")
	case mediaFor(kind, accepts) == "":
		return Errorf(http.StatusBadRequest, `a subscription needs WebSocket (graphql-transport-ws), or Accept: %s, or Accept: %s;subscriptionSpec="%s"`,
			mediaEvents, mediaMultipart, subscriptionSpec)
	default:
		return nil
	}
}

// readParams reads the GraphQL request in an HTTP request.
func readParams(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *RequestError) {
	start := graphql.Now()
	var wire Params
	var bad *RequestError
	if int64(len(r.URL.RawQuery)) > limit {
		return nil, Errorf(http.StatusRequestURITooLong, "the URL's query has more than %d bytes", limit)
	}
	if r.Method == http.MethodPost {
		wire, bad = fromBody(w, r, limit)
	} else if _, bad = readBody(w, r, limit); bad == nil { // a body means nothing in a GET
		wire, bad = fromURL(r.URL)
	}
	if bad != nil {
		return nil, bad
	}
	p, bad := wire.Raw()
	if bad != nil {
		return nil, bad
	}
	p.Headers = r.Header
	p.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return p, nil
}

// bodyTimeout is how long a client may take to send the body of a request.
const bodyTimeout = 30 * time.Second

// responseTimeout is how long a client may take to receive a response.
const responseTimeout = 30 * time.Second

// isJSON reports whether a request has exactly one Content-Type, which is JSON in
// UTF-8.
func isJSON(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(contentTypes[0])
	return err == nil && media == mediaJSON && isUTF8(params["charset"])
}

// fromBody reads a GraphQL request from the body of a POST.
func fromBody(w http.ResponseWriter, r *http.Request, limit int64) (Params, *RequestError) {
	var wire Params
	if !isJSON(r.Header.Values("Content-Type")) {
		w.Header().Set("Accept", mediaJSON)
		return wire, Errorf(http.StatusUnsupportedMediaType, "Content-Type must be %s, in UTF-8", mediaJSON)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return wire, Errorf(http.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	body, bad := readBody(w, r, limit)
	if bad != nil {
		return wire, bad
	}
	return Decode("the body", body)
}

// readBody reads a request's body within bodyTimeout. If that is exceeded the
// deadline stays, because net/http goes on reading after the response.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *RequestError) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not all writers have deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, Errorf(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, Errorf(http.StatusRequestTimeout, "the request did not arrive within %s", bodyTimeout)
	case err != nil:
		return nil, Errorf(http.StatusBadRequest, "the request's body could not be read")
	default:
		_ = control.SetReadDeadline(time.Time{}) // or net/http would take the deadline for the end of the client
		return body, nil
	}
}
