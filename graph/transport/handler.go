package transport

import (
	"context"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// Handler serves the API.
type Handler struct {
	service  *Service
	http     httpTransport
	clientIP func(*http.Request) string
	sockets  http.Handler
}

// NewHandler returns a handler. clientIP returns the address that a request comes
// from, as the result of ForwardedIP does. sockets serves requests for a WebSocket.
func NewHandler(s *Service, clientIP func(*http.Request) string, sockets http.Handler) *Handler {
	return &Handler{service: s, http: httpTransport{s, streamTransport{s}}, clientIP: clientIP, sockets: sockets}
}

// ServeHTTP implements http.Handler. It refuses a caller whose token is not valid, and
// does not serve it as an anonymous one. Sockets may send their token later.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &startedWriter{ResponseWriter: rw}
	defer func() {
		if v := recover(); v != nil {
			h.service.recoverPanic(w, r, v)
		}
	}()
	info, err := readInfo(r, h.clientIP)
	w.Header().Set(RequestIDHeader, info.ID)
	ctx := WithClient(r.Context(), info, r.UserAgent())
	if wait := h.service.Limiter.Arrive(ctx, headerSize(r)); wait > 0 {
		h.service.HoldRefusal(ctx)
		h.service.Refuse(w, r, guard.RateLimited(wait))
		return
	}
	if n := len(r.Header.Values("Authorization")); err == nil && n > 1 {
		err = domain.Errorf(domain.Unauthenticated, "the request has the header Authorization %d times", n)
	}
	if err == nil && !isUpgrade(r) {
		ctx, err = auth.Authenticate(ctx, h.service.Tokens, r.Header.Get("Authorization"))
	}
	r = r.WithContext(graphql.StartOperationTrace(ctx))
	switch {
	case err != nil:
		h.service.Refuse(w, r, err)
	case isUpgrade(r):
		h.sockets.ServeHTTP(w, r)
	default:
		h.http.serve(w, r)
	}
}

// WithClient returns a context with what is known of a request and of the client that
// sent it, whose header User-Agent is agent.
func WithClient(ctx context.Context, info request.Info, agent string) context.Context {
	ctx = auth.WithClient(request.With(ctx, info), auth.Client{Address: info.Address(), Agent: agent})
	return auth.WithNetworks(ctx, info.Networks)
}

// headerSize returns the bytes of a request's URL and headers.
func headerSize(r *http.Request) int {
	n := len(r.RequestURI)
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

// isUpgrade reports whether a request is for a WebSocket, even if a proxy has removed
// the header Upgrade. Some clients offer to upgrade every request to HTTP/2, which a
// server may ignore.
func isUpgrade(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "websocket") ||
		r.Header.Get("Sec-Websocket-Key") != "" || r.Header.Get("Sec-Websocket-Version") != "" || r.Header.Get("Sec-Websocket-Protocol") != ""
}

// Gates returns the numbers of the gates at which requests wait.
func (h *Handler) Gates() []gate.Stats { return h.service.Gates() }

// Drain closes every socket with code 1001 and a reason, ends every stream with an
// error, refuses new ones, and waits until all have ended or ctx ends. Other requests
// are still served.
func (h *Handler) Drain(ctx context.Context, reason string) error {
	return h.service.drain(ctx, reason)
}
