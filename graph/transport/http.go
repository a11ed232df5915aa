package transport

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/request"
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
	body, release, err := t.receive(w, r)
	if err != nil {
		t.Refuse(w, r, err)
		return
	}
	defer release()
	ctx, turn, err := t.Turn(r.Context(), int64(len(body)+len(r.URL.RawQuery)))
	if err != nil {
		t.Refuse(w, r, err)
		return
	}
	defer turn.End()
	r = r.WithContext(ctx)
	params, bad := readParams(r, body)
	if bad != nil {
		turn.End()
		t.Refuse(w, r, bad)
		return
	}
	t.execute(w, r, params, accepts, work{turn, release})
}

// work is what a request holds while it is served.
type work struct {
	turn    *request.Turn
	release func() // of its body
}

// end gives all of it up.
func (h work) end() {
	h.turn.End()
	h.release()
}

// first gets the first response, ends the work, and returns all responses.
func (h work) first(ctx context.Context, responses graphql.ResponseHandler) graphql.ResponseHandler {
	response := responses(ctx)
	h.end()
	return func(ctx context.Context) (next *graphql.Response) {
		if next, response = response, nil; next == nil {
			next = responses(ctx)
		}
		return next
	}
}

// execute executes an operation, or refuses it.
func (t httpTransport) execute(w http.ResponseWriter, r *http.Request, params *graphql.RawParams, accepts accepted, held work) {
	ctx := r.Context()
	oc, errs := t.Executor.CreateOperationContext(ctx, params)
	if errs != nil {
		errs = t.Executor.DispatchError(graphql.WithOperationContext(ctx, oc), errs).Errors
		held.end()
		t.refuse(w, r, accepts, errs)
		return
	}
	if bad := checkAllowed(w, r.Method, oc, accepts); bad != nil {
		held.end()
		t.Refuse(w, r, bad)
		return
	}
	if oc.Operation.Operation != ast.Subscription {
		if err := t.Weigh(ctx, held.turn, oc); err != nil {
			held.end()
			t.Refuse(w, r, err)
			return
		}
	}
	if f := framingFor(mediaFor(oc.Operation.Operation, accepts)); f != nil {
		t.streams.serve(w, r, oc, f, held)
		return
	}
	ctx, reply := t.Reply(ctx)
	responses, ctx := t.Executor.DispatchOperation(ctx, oc)
	response := responses(ctx)
	if response == nil { // the client has left
		response = &graphql.Response{Errors: gqlerror.List{t.Present(ctx, domain.Errorf(domain.Unavailable, "the request was canceled"))}}
	}
	held.end()
	defer reply.End()
	writeResponse(w, accepts, response)
}

// refuse responds to an operation that is not executed.
func (t httpTransport) refuse(w http.ResponseWriter, r *http.Request, accepts accepted, errs gqlerror.List) {
	if statusOf(errs) == http.StatusTooManyRequests {
		t.HoldRefusal(r.Context())
	}
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

// readParams reads the GraphQL request in an HTTP request whose body has been
// received.
func readParams(r *http.Request, body []byte) (*graphql.RawParams, *RequestError) {
	start := graphql.Now()
	var wire Params
	var bad *RequestError
	if r.Method == http.MethodPost {
		wire, bad = Decode("the body", body)
	} else { // a body means nothing in a GET
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
