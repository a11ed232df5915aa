package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
)

// streamTransport serves operations by an HTTP response that stays open. It writes
// each of the operation's responses as it comes.
type streamTransport struct{ *Service }

// framing is how the responses of an operation are framed in one body.
type framing interface {
	contentType() string
	// begin is sent at once, before there is a response.
	begin() string
	next(response *graphql.Response) string
	// heartbeat keeps the connection open while there are no responses.
	heartbeat() string
	// abort says why the server ends the stream before the operation ends.
	abort(err *gqlerror.Error) string
	end() string
}

// framingFor returns the framing of a media type, or nil if that is no stream.
func framingFor(media string) framing {
	switch media {
	case mediaEvents:
		return eventFraming{}
	case mediaMultipart:
		return multipartFraming{}
	default:
		return nil
	}
}

// refuse responds to an operation that is not executed.
func (t streamTransport) refuse(w http.ResponseWriter, f framing, errs gqlerror.List) {
	body := t.writer(w, f)
	if body.begin() == nil && body.write(f.next(&graphql.Response{Errors: errs})) == nil {
		body.end()
	}
}

// serve executes an operation. One that is not a subscription is executed before
// anything is written to the client, who may be slow; a subscription holds nothing
// while it waits.
func (t streamTransport) serve(w http.ResponseWriter, r *http.Request, oc *graphql.OperationContext, f framing, held work) {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	remove, err := t.Open(end)
	if err != nil {
		held.end()
		t.Refuse(w, r, err)
		return
	}
	defer remove()
	ctx, reply := t.Reply(ctx)
	defer reply.End()
	var responses graphql.ResponseHandler
	if oc.Operation.Operation == ast.Subscription {
		held.end()
		release, err := t.admitSubscription(ctx)
		if err != nil {
			t.Refuse(w, r, err)
			return
		}
		defer release()
	} else {
		responses, ctx = t.Executor.DispatchOperation(ctx, oc)
		responses = held.first(ctx, responses)
	}
	body := t.writer(w, f)
	body.reply = reply
	t.stream(ctx, end, body, r.Header.Get("Authorization"), func() (graphql.ResponseHandler, context.Context) {
		if responses != nil {
			return responses, ctx
		}
		return t.Executor.DispatchOperation(ctx, oc)
	})
}

// stream writes the responses of an operation, which dispatch begins.
func (t streamTransport) stream(ctx context.Context, end context.CancelCauseFunc, body *streamWriter, authorization string, dispatch func() (graphql.ResponseHandler, context.Context)) {
	if body.begin() != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil && body.write(body.abort(t.Present(ctx, panics.Recovered(ctx, v)))) == nil {
			body.end()
		}
	}()
	responses, ctx := dispatch()
	if t.writeResponses(ctx, end, body, responses, authorization) {
		body.end()
	}
}

// admitSubscription counts a connection and a subscription of the caller until release
// is called.
func (t streamTransport) admitSubscription(ctx context.Context) (release func(), err error) {
	disconnect, err := t.Admit(ctx)
	if err != nil {
		return nil, err
	}
	end, err := t.Subscribe(ctx)
	if err != nil {
		disconnect()
		return nil, err
	}
	return func() { end(); disconnect() }, nil
}

// writeResponses writes responses until there are no more or the server ends the
// stream; then it writes the reason. It returns false if the client has left or does
// not read.
func (t streamTransport) writeResponses(ctx context.Context, end context.CancelCauseFunc, body *streamWriter, responses graphql.ResponseHandler, authorization string) bool {
	results, wait := encodeResponses(ctx, body, responses)
	defer wait()
	defer end(nil)
	ticker := time.NewTicker(t.Limits.Ping)
	defer ticker.Stop()
	if authorization != "" {
		t.WatchToken(ctx, authorization, end)
	}
	for {
		var err error
		select {
		case one, ok := <-results:
			if !ok {
				return t.finish(ctx, body)
			}
			err = body.write(one.text)
			one.unread.Release()
		case <-ticker.C:
			err = body.write(body.heartbeat())
		case <-ctx.Done():
			return t.finish(ctx, body)
		}
		if err != nil {
			return false
		}
	}
}

// encoded is a response that is encoded.
type encoded struct {
	text   string
	unread Held
}

// encodeResponses asks for responses in a goroutine, and encodes each before it asks
// for the next one, because gqlgen reuses the memory. The function wait returns
// after the goroutine has returned.
func encodeResponses(ctx context.Context, body *streamWriter, responses graphql.ResponseHandler) (results <-chan encoded, wait func()) {
	out := make(chan encoded)
	var encoding sync.WaitGroup
	encoding.Go(func() {
		defer close(out)
		for {
			response := responses(ctx)
			if response == nil {
				return // which is soon if ctx ends
			}
			one := encoded{body.next(response), body.reply.Take()}
			select {
			case out <- one:
			case <-ctx.Done():
				one.unread.Release()
			}
		}
	})
	return out, encoding.Wait
}

// finish writes why the server ended the stream, if it did. It returns false if the
// client has left.
func (t streamTransport) finish(ctx context.Context, body *streamWriter) bool {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return true
	case errors.Is(cause, ctx.Err()):
		return false
	default:
		return body.write(body.abort(t.Present(ctx, cause))) == nil
	}
}

// streamWriter writes framed responses, each within a timeout, so that a client that
// does not read is dropped.
type streamWriter struct {
	framing

	reply   *Reply // that is written, nil for a refusal
	rw      http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (t streamTransport) writer(w http.ResponseWriter, f framing) *streamWriter {
	return &streamWriter{framing: f, rw: w, control: http.NewResponseController(w), timeout: t.Limits.Write}
}

func (w *streamWriter) begin() error {
	w.rw.Header().Set("Content-Type", w.contentType())
	w.rw.Header().Set("Cache-Control", "no-store")
	w.rw.Header().Set("X-Accel-Buffering", "no")
	w.rw.Header().Set("X-Content-Type-Options", "nosniff")
	w.rw.WriteHeader(http.StatusOK)
	return w.write(w.framing.begin())
}

func (w *streamWriter) end() {
	_ = w.write(w.framing.end())
	_ = w.control.SetWriteDeadline(time.Time{}) // for the next request on the connection
}

func (w *streamWriter) write(text string) error {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) // not all writers have deadlines
	if _, err := w.rw.Write([]byte(text)); err != nil {
		return err
	}
	return w.control.Flush()
}
