// Package ws serves the API over WebSocket, by the protocol graphql-transport-ws or
// its predecessor graphql-ws.
package ws

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/http/httpguts"

	"chirp/graph/panics"
	"chirp/graph/request"
	"chirp/graph/transport"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Handler serves GraphQL over WebSocket.
type Handler struct {
	service *transport.Service
	origins *transport.Origins
}

// New returns a handler. Besides pages of the server's own site, those of origins
// may open a socket.
func New(s *transport.Service, origins *transport.Origins) *Handler { return &Handler{s, origins} }

// readBuffer is how many bytes a socket reads at once, unless a message is larger. Most
// are small, and sockets are many.
const readBuffer = 512

// writeBuffers has the buffers of the sockets that are writing.
var writeBuffers sync.Pool

// ServeHTTP implements http.Handler. It upgrades a request, and lets a goroutine serve
// the socket until it is closed. That one keeps neither the request nor the stack that
// handled it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if bad := h.checkUpgrade(w, r); bad != nil {
		h.service.Refuse(w, r, bad)
		return
	}
	release, err := h.service.AdmitUninitialized(r.Context())
	if err != nil {
		h.service.Refuse(w, r, err)
		return
	}
	upgrader := websocket.Upgrader{
		Subprotocols: []string{subprotocol, legacySubprotocol}, Error: h.refuseUpgrade,
		ReadBufferSize: readBuffer, WriteBufferPool: &writeBuffers, // not the server's, which reads past the meter
		CheckOrigin: func(*http.Request) bool { return true }, // checkUpgrade checks it
	}
	metering := &meteringWriter{ResponseWriter: w}
	ws, err := upgrader.Upgrade(metering, r, http.Header{transport.RequestIDHeader: w.Header()[transport.RequestIDHeader]})
	if err != nil {
		release()
		return // after refuseUpgrade
	}
	s := &socket{
		outbox: newOutbox(ws, h.service.Limits), service: h.service, legacy: ws.Subprotocol() == legacySubprotocol,
		ctx:           transport.WithClient(context.Background(), request.From(r.Context()), r.UserAgent()),
		authorization: r.Header.Get("Authorization"), header: request.OfOperation(r.Header), release: release,
	}
	s.hold = h.service.Hold
	s.tick, s.lastMessage = s.keepAlive, s.messageBeforeClose
	metering.conn.pay, metering.conn.waitOn, metering.conn.partTimeout = s.pay, s.waitOn, h.service.Limits.Write
	ws.SetPongHandler(func(payload string) error { s.answered(payload); s.extendDeadline(); return nil })
	_ = ws.SetReadDeadline(time.Now().Add(h.service.Limits.SocketInit))
	remove, err := h.service.Open(func(why error) { s.close(goingAway(why)) })
	switch {
	case err != nil:
		s.close(goingAway(err))
		remove = func() {}
	case ws.Subprotocol() == "":
		s.close(closeReason{closeNotAcceptable, "Subprotocol not acceptable"})
	}
	go s.run(remove)
}

// run serves the socket, and then gives up what it counts for, even if that panics: its
// goroutine is not net/http's, which would recover the panic.
func (s *socket) run(remove func()) {
	defer func() {
		if v := recover(); v != nil {
			s.close(s.panicked(s.ctx, v))
			_ = s.ws.Close()
		}
	}()
	defer remove()
	defer func() { s.release() }()
	s.serve()
}

func goingAway(why error) closeReason { return *closeReasonf(closeGoingAway, "%s", why.Error()) }

// checkUpgrade returns an error for a request that cannot become a socket.
func (h *Handler) checkUpgrade(w http.ResponseWriter, r *http.Request) *transport.RequestError {
	site, foreign := h.origins.Foreign(r)
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return transport.Errorf(http.StatusMethodNotAllowed, "a WebSocket is opened by GET, not %.20s", r.Method)
	case !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return transport.Errorf(http.StatusUpgradeRequired, "this is a WebSocket request without Upgrade: websocket and Connection: Upgrade; a proxy has probably removed these headers and must be configured to pass them on")
	case !httpguts.HeaderValuesContainsToken(r.Header["Sec-Websocket-Version"], "13"):
		w.Header().Set("Sec-WebSocket-Version", "13")
		return transport.Errorf(http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13")
	case foreign:
		return transport.Errorf(http.StatusForbidden, "pages of %.200s may not open a socket here: the site is neither this server's own, which by the header Host is %.200s, nor one of --allowed-origins", site, r.Host)
	default:
		return nil
	}
}

// refuseUpgrade refuses a request that the library cannot upgrade.
func (h *Handler) refuseUpgrade(w http.ResponseWriter, r *http.Request, status int, reason error) {
	h.service.Refuse(w, r, transport.Errorf(status, "the connection cannot become a WebSocket: %s", strings.TrimPrefix(reason.Error(), "websocket: ")))
}

// authenticate sets who is calling, by the authorization in the payload of
// connection_init or else in the upgrade request, or returns why to close the socket.
// When the token is no longer valid the socket is closed.
func (s *socket) authenticate(payload map[string]any) *closeReason {
	header, err := authorization(payload, s.authorization)
	if err != nil {
		return forbidden(err)
	}
	ctx, err := auth.Authenticate(s.ctx, s.service.Tokens, header)
	if err != nil && domain.KindOf(err) != domain.Unauthenticated {
		return &closeReason{closeTryLater, "the token cannot be verified now; try again"}
	}
	if at, ends := auth.Expires(ctx); err == nil && ends && !time.Now().Before(at) {
		err = transport.ErrExpired() // Authenticate allows for clock skew, which a connection does not need
	}
	if err != nil {
		return forbidden(err)
	}
	release, err := s.service.Admit(ctx)
	if err != nil {
		return closeReasonf(closeTryLater, "%s", err.Error())
	}
	s.release()
	s.ctx, s.release = ctx, release
	if header != "" {
		s.service.WatchToken(ctx, header, func(err error) { s.close(s.tokenInvalid(ctx, err)) })
	}
	return nil
}

func forbidden(err error) *closeReason {
	return closeReasonf(closeForbidden, "Forbidden: %s", err.Error())
}

// tokenInvalid returns why to close a socket whose caller's token is not valid.
func (s *socket) tokenInvalid(ctx context.Context, err error) closeReason {
	if errors.As(err, new(*panics.Error)) {
		return *closeReasonf(closeInternal, "%s", s.service.Present(ctx, err).Message)
	}
	return *closeReasonf(closeForbidden, "%s", err.Error())
}

// panicked returns why to close a socket whose own work panicked.
func (s *socket) panicked(ctx context.Context, v any) closeReason {
	return *closeReasonf(closeInternal, "%s", s.service.Present(ctx, panics.Recovered(ctx, v)).Message)
}

// authorization returns the authorization in the payload of connection_init, or else
// fallback. Clients write the member's name in any case, as in a header. There must
// not be two.
func authorization(payload map[string]any, fallback string) (string, error) {
	var given []any
	for key, value := range payload {
		if strings.EqualFold(key, "authorization") && value != nil {
			given = append(given, value)
		}
	}
	switch len(given) {
	case 0:
		return fallback, nil
	case 1:
		text, ok := given[0].(string)
		if !ok {
			return "", domain.Errorf(domain.Unauthenticated, `the authorization must be "Bearer" and a token`)
		}
		return text, nil
	default:
		return "", domain.Errorf(domain.Unauthenticated, "the payload has the authorization %d times", len(given))
	}
}
