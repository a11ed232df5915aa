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

// methods are those that the endpoint takes.
const methods = "GET, HEAD, OPTIONS, POST"

// httpTransport serves operations by POST, and all but mutations by GET: in one
// JSON document, or as a stream where Accept says so.
type httpTransport struct {
	*Service
	streams streamTransport
}

// serve answers a request, and says what is wrong with one that it cannot
// answer.
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
	if response == nil { // the client has gone
		response = &graphql.Response{Errors: gqlerror.List{t.Present(ctx, domain.Errorf(domain.Unavailable, "the request was given up"))}}
	}
	writeResponse(w, accepts, response)
}

// refuse answers an operation that is not executed.
func (t httpTransport) refuse(w http.ResponseWriter, accepts accepted, errs gqlerror.List) {
	media := mediaFor(ast.Query, accepts)
	if f := framingFor(media); f != nil {
		t.streams.refuse(w, f, errs)
		return
	}
	writeErrors(w, accepts, statusOf(errs), errs...)
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

func checkMethod(w http.ResponseWriter, method string) *RequestError {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return nil
	default:
		w.Header().Set("Allow", methods)
		return Errorf(http.StatusMethodNotAllowed, "use POST, or GET for queries")
	}
}

// allowed says whether an operation may come in by a request: a GET must change
// nothing, and a subscription needs a connection that stays open.
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

// readParams reads the GraphQL request out of an HTTP request.
func readParams(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *RequestError) {
	start := graphql.Now()
	var wire Params
	var bad *RequestError
	if int64(len(r.URL.RawQuery)) > limit {
		return nil, Errorf(http.StatusRequestURITooLong, "the URL's query has more than %d bytes", limit)
	}
	if r.Method == http.MethodPost {
		wire, bad = fromBody(w, r, limit)
	} else if _, bad = readBody(w, r, limit); bad == nil { // which means nothing in a GET
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

// bodyTimeout is how long a client may take to send its request.
const bodyTimeout = 30 * time.Second

// answerTimeout is how long a client may take to take in the answer.
const answerTimeout = 30 * time.Second

// isJSON reports whether a request's Content-Type, of which there must be one,
// is JSON in UTF-8.
func isJSON(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(contentTypes[0])
	return err == nil && media == mediaJSON && isUTF8(params["charset"])
}

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

// readBody reads a request's body in the time that it may take. The deadline of
// a body that does not come stays, since net/http reads on after the answer.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *RequestError) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // some writers have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, Errorf(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, Errorf(http.StatusRequestTimeout, "the request did not come within %s", bodyTimeout)
	case err != nil:
		return nil, Errorf(http.StatusBadRequest, "the request's body could not be read")
	default:
		_ = control.SetReadDeadline(time.Time{}) // which would look like the client's end
		return body, nil
	}
}
