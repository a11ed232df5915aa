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

// live answers an operation by an HTTP response that stays open, to which each
// of its responses is written when it comes.
type streamTransport struct{ *Service }

// format is how the responses of one operation follow each other in a body.
type framing interface {
	contentType() string
	// begin comes first, and is sent before there is any response.
	begin() string
	next(response *graphql.Response) string
	// beat tells the client, and whatever is between, that the connection lives.
	heartbeat() string
	// fail says that this side ends the stream before the operation has ended.
	abort(why *gqlerror.Error) string
	end() string
}

// formatOf gives the format of a media type, nil if it is none of a stream.
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

// refuse answers an operation that is not executed.
func (l streamTransport) refuse(w http.ResponseWriter, f framing, errs gqlerror.List) {
	body := l.writer(w, f)
	if body.begin() == nil && body.write(f.next(&graphql.Response{Errors: errs})) == nil {
		body.end()
	}
}

// serve executes an operation.
func (l streamTransport) serve(w http.ResponseWriter, r *http.Request, oc *graphql.OperationContext, f framing) {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	remove, err := l.Open(end)
	if err != nil {
		l.Refuse(w, r, err)
		return
	}
	defer remove()
	if oc.Operation.Operation == ast.Subscription {
		release, err := l.Admit(ctx)
		if err != nil {
			l.Refuse(w, r, err)
			return
		}
		defer release()
	}
	body := l.writer(w, f)
	if body.begin() != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil && body.write(body.abort(l.Present(ctx, panics.Recovered(ctx, v)))) == nil {
			body.end()
		}
	}()
	responses, ctx := l.Executor.DispatchOperation(ctx, oc)
	if l.writeResponses(ctx, end, body, responses, r.Header.Get("Authorization")) {
		body.end()
	}
}

// run writes the responses until there are no more or the stream is ended for
// a reason that the client is then told. It is false if the client has gone, or
// takes nothing.
func (l streamTransport) writeResponses(ctx context.Context, end context.CancelCauseFunc, body *streamWriter, responses graphql.ResponseHandler, authorization string) bool {
	results, wait := encodeResponses(ctx, body.framing, responses)
	defer wait()
	defer end(nil)
	ticker := time.NewTicker(l.Limits.Ping)
	defer ticker.Stop()
	if authorization != "" {
		l.WatchToken(ctx, authorization, end)
	}
	for {
		var err error
		select {
		case text, ok := <-results:
			if !ok {
				return l.finish(ctx, body)
			}
			err = body.write(text)
		case <-ticker.C:
			err = body.write(body.heartbeat())
		case <-ctx.Done():
			return l.finish(ctx, body)
		}
		if err != nil {
			return false
		}
	}
}

// pull asks for responses in a goroutine of its own, and encodes each before it
// asks for the next one, because gqlgen writes that into the same memory. The
// function wait returns when the goroutine is gone.
func encodeResponses(ctx context.Context, f framing, responses graphql.ResponseHandler) (results <-chan string, wait func()) {
	out := make(chan string)
	var pulling sync.WaitGroup
	pulling.Go(func() {
		defer close(out)
		for {
			response := responses(ctx)
			if response == nil {
				return // also soon after ctx ends
			}
			select {
			case out <- f.next(response):
			case <-ctx.Done():
			}
		}
	})
	return out, pulling.Wait
}

// farewell says why a stream was ended from this side, if it was. It is false
// if the client has gone.
func (l streamTransport) finish(ctx context.Context, body *streamWriter) bool {
	why := context.Cause(ctx)
	switch {
	case why == nil:
		return true
	case errors.Is(why, ctx.Err()):
		return false
	default:
		return body.write(body.abort(l.Present(ctx, why))) == nil
	}
}

// liveWriter writes what a format makes, each piece within a time limit: a
// client that takes nothing is given up.
type streamWriter struct {
	framing

	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (l streamTransport) writer(w http.ResponseWriter, f framing) *streamWriter {
	return &streamWriter{framing: f, w: w, control: http.NewResponseController(w), timeout: l.Limits.Write}
}

func (b *streamWriter) begin() error {
	b.w.Header().Set("Content-Type", b.contentType())
	b.w.Header().Set("Cache-Control", "no-store")
	b.w.Header().Set("X-Accel-Buffering", "no")
	b.w.Header().Set("X-Content-Type-Options", "nosniff")
	b.w.WriteHeader(http.StatusOK)
	return b.write(b.framing.begin())
}

func (b *streamWriter) end() {
	_ = b.write(b.framing.end())
	_ = b.control.SetWriteDeadline(time.Time{}) // the connection may be used again
}

func (b *streamWriter) write(text string) error {
	_ = b.control.SetWriteDeadline(time.Now().Add(b.timeout)) // some writers have none
	if _, err := b.w.Write([]byte(text)); err != nil {
		return err
	}
	return b.control.Flush()
}
