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
type live struct{ *Service }

// format is how the responses of one operation follow each other in a body.
type format interface {
	contentType() string
	// begin comes first, and is sent before there is any response.
	begin() string
	next(response *graphql.Response) string
	// beat tells the client, and whatever is between, that the connection lives.
	beat() string
	// fail says that this side ends the stream before the operation has ended.
	fail(why *gqlerror.Error) string
	end() string
}

// formatOf gives the format of a media type, nil if it is none of a stream.
func formatOf(media string) format {
	switch media {
	case mediaEvents:
		return eventFormat{}
	case mediaMultipart:
		return multipartFormat{}
	default:
		return nil
	}
}

// refuse answers an operation that is not executed.
func (l live) refuse(w http.ResponseWriter, f format, errs gqlerror.List) {
	body := l.writer(w, f)
	if body.begin() == nil && body.write(f.next(&graphql.Response{Errors: errs})) == nil {
		body.end()
	}
}

// serve executes an operation.
func (l live) serve(w http.ResponseWriter, r *http.Request, oc *graphql.OperationContext, f format) {
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
		if v := recover(); v != nil && body.write(body.fail(l.Present(ctx, panics.Recovered(ctx, v)))) == nil {
			body.end()
		}
	}()
	responses, ctx := l.Executor.DispatchOperation(ctx, oc)
	if l.run(ctx, end, body, responses, r.Header.Get("Authorization")) {
		body.end()
	}
}

// run writes the responses until there are no more or the stream is ended for
// a reason that the client is then told. It is false if the client has gone, or
// takes nothing.
func (l live) run(ctx context.Context, end context.CancelCauseFunc, body *liveWriter, responses graphql.ResponseHandler, authorization string) bool {
	results, wait := pull(ctx, body.format, responses)
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
				return l.farewell(ctx, body)
			}
			err = body.write(text)
		case <-ticker.C:
			err = body.write(body.beat())
		case <-ctx.Done():
			return l.farewell(ctx, body)
		}
		if err != nil {
			return false
		}
	}
}

// pull asks for responses in a goroutine of its own, and encodes each before it
// asks for the next one, because gqlgen writes that into the same memory. The
// function wait returns when the goroutine is gone.
func pull(ctx context.Context, f format, responses graphql.ResponseHandler) (results <-chan string, wait func()) {
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
func (l live) farewell(ctx context.Context, body *liveWriter) bool {
	why := context.Cause(ctx)
	switch {
	case why == nil:
		return true
	case errors.Is(why, ctx.Err()):
		return false
	default:
		return body.write(body.fail(l.Present(ctx, why))) == nil
	}
}

// liveWriter writes what a format makes, each piece within a time limit: a
// client that takes nothing is given up.
type liveWriter struct {
	format

	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (l live) writer(w http.ResponseWriter, f format) *liveWriter {
	return &liveWriter{format: f, w: w, control: http.NewResponseController(w), timeout: l.Limits.Write}
}

func (b *liveWriter) begin() error {
	b.w.Header().Set("Content-Type", b.contentType())
	b.w.Header().Set("Cache-Control", "no-store")
	b.w.Header().Set("X-Accel-Buffering", "no")
	b.w.Header().Set("X-Content-Type-Options", "nosniff")
	b.w.WriteHeader(http.StatusOK)
	return b.write(b.format.begin())
}

func (b *liveWriter) end() {
	_ = b.write(b.format.end())
	_ = b.control.SetWriteDeadline(time.Time{}) // the connection may be used again
}

func (b *liveWriter) write(text string) error {
	_ = b.control.SetWriteDeadline(time.Now().Add(b.timeout)) // some writers have none
	if _, err := b.w.Write([]byte(text)); err != nil {
		return err
	}
	return b.control.Flush()
}
