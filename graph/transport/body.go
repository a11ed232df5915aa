package transport

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"chirp/graph/guard"
)

// bodyTimeout is how long a client may take to send the body of a request.
const bodyTimeout = 30 * time.Second

// receive reads a request's body, which counts as received until release is called.
// Its caller pays for the bytes before they are read, or if the length is not known
// for a part of them, and for the rest before they are decoded.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	if bad := checkBody(w, r, s.Limits.Body); bad != nil {
		return nil, nil, bad
	}
	size, price := r.ContentLength, r.ContentLength
	if size < 0 {
		size, price = s.Limits.Body, smallBody
	}
	if err := s.charge(r.Context(), price); err != nil {
		return nil, nil, err
	}
	release, err = s.Receive(r.Context(), size)
	if err != nil {
		return nil, nil, err
	}
	body, bad := readBody(w, r, s.Limits.Body)
	if bad != nil {
		release()
		return nil, nil, bad
	}
	if more := int64(len(body)) - price; more > 0 {
		if wait := s.Limiter.TakeBytes(r.Context(), more); wait > 0 {
			release() // or those who are refused would keep others from being received
			return nil, nil, s.tooManyBytes(r.Context(), wait)
		}
	}
	return body, release, nil
}

// charge takes the price of some bytes from the caller, or returns the error about a
// budget that is used up.
func (s *Service) charge(ctx context.Context, bytes int64) error {
	if wait := s.Limiter.TakeBytes(ctx, bytes); wait > 0 {
		return s.tooManyBytes(ctx, wait)
	}
	return nil
}

// tooManyBytes returns the error about a budget that is used up, after a while if the
// caller's network was refused often.
func (s *Service) tooManyBytes(ctx context.Context, wait time.Duration) error {
	s.HoldRefusal(ctx)
	return guard.RateLimited(wait)
}

// HoldRefusal charges for a refusal, and holds it back if there were many, so that
// clients that try again at once cannot keep the server busy with refusals.
func (s *Service) HoldRefusal(ctx context.Context) {
	hold := s.Limiter.Refuse(ctx)
	if hold == 0 {
		return
	}
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// checkBody returns an error for a body that cannot be one of a GraphQL request, or
// is too large, as is a URL.
func checkBody(w http.ResponseWriter, r *http.Request, limit int64) *RequestError {
	if int64(len(r.URL.RawQuery)) > limit {
		return Errorf(http.StatusRequestURITooLong, "the URL's query has more than %d bytes", limit)
	}
	if r.Method != http.MethodPost {
		return nil
	}
	if !isJSON(r.Header.Values("Content-Type")) {
		w.Header().Set("Accept", mediaJSON)
		return Errorf(http.StatusUnsupportedMediaType, "Content-Type must be %s, in UTF-8", mediaJSON)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return Errorf(http.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	return nil
}

// isJSON reports whether a request has exactly one Content-Type, which is JSON in
// UTF-8.
func isJSON(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	if contentTypes[0] == mediaJSON {
		return true
	}
	media, params, err := mime.ParseMediaType(contentTypes[0])
	return err == nil && media == mediaJSON && isUTF8(params["charset"])
}

// readAll reads a request's body, at once if its length is known.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > limit {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// readBody reads a request's body within bodyTimeout. If that is exceeded the
// deadline stays, because net/http goes on reading after the response.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *RequestError) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not all writers have deadlines
	body, err := readAll(w, r, limit)
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
