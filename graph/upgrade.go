package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"golang.org/x/net/http/httpguts"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// socketTransport serves GraphQL over WebSocket.
type socketTransport struct {
	limits  Limits
	tokens  *auth.Tokens
	streams *streams
	quotas  quotas
	origins *Origins // whose pages may open a socket
	present graphql.ErrorPresenterFunc
}

// asksForSocket says whether a request is to become a WebSocket, even one from
// which a proxy has removed that it is an upgrade. Some clients offer to upgrade
// every request to HTTP/2, which need not be taken up.
func asksForSocket(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "websocket") ||
		r.Header.Get("Sec-Websocket-Key") != "" || r.Header.Get("Sec-Websocket-Version") != "" || r.Header.Get("Sec-Websocket-Protocol") != ""
}

// serve upgrades a request and serves its socket until it is closed.
func (t socketTransport) serve(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if bad := t.checkUpgrade(w, r); bad != nil {
		bad.write(w, acceptedBy(r))
		return
	}
	release, err := t.quotas.await(r.Context())
	if err != nil {
		Refuse(w, r, err)
		return
	}
	upgrader := websocket.Upgrader{
		Subprotocols: []string{subprotocol, legacySubprotocol}, Error: refuseUpgrade,
		CheckOrigin: func(*http.Request) bool { return true }, // checkUpgrade has
	}
	ws, err := upgrader.Upgrade(w, r, http.Header{requestIDHeader: w.Header()[requestIDHeader]})
	if err != nil {
		release()
		return // refuseUpgrade has answered
	}
	s := &socket{
		outbox: newOutbox(ws, t.limits), api: t, exec: exec, legacy: ws.Subprotocol() == legacySubprotocol,
		header: r.Header, release: release, operations: map[string]*operation{},
	}
	s.tick, s.last = s.keepAlive, s.lastMessage
	defer func() { s.release() }()
	ws.SetPongHandler(func(string) error { s.alive(); return nil })
	s.extend(t.limits.SocketInit)
	go s.run()
	remove, err := t.streams.add(func(why error) { s.close(goingAway(why)) })
	switch {
	case err != nil:
		s.close(goingAway(err))
	case ws.Subprotocol() == "":
		s.close(closing{closeNotAcceptable, "Subprotocol not acceptable"})
	}
	if err == nil {
		defer remove()
	}
	s.serve(r.Context())
}

func goingAway(why error) closing { return *closef(closeGoingAway, "%s", why.Error()) }

// checkUpgrade says why a request cannot become a socket, nil if it can.
func (t socketTransport) checkUpgrade(w http.ResponseWriter, r *http.Request) *badHTTP {
	site, foreign := t.origins.Foreign(r)
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return badf(http.StatusMethodNotAllowed, "a WebSocket is opened by GET, not %.20s", r.Method)
	case !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return badf(http.StatusUpgradeRequired, "this is a WebSocket request without Upgrade: websocket and Connection: Upgrade; a proxy on the way has probably removed these headers, and must be told to pass them on")
	case !httpguts.HeaderValuesContainsToken(r.Header["Sec-Websocket-Version"], "13"):
		w.Header().Set("Sec-WebSocket-Version", "13")
		return badf(http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13")
	case foreign:
		return badf(http.StatusForbidden, "pages of %.200s may not open a socket here: the site is not this server's own, which by the request's Host is %.200s, nor one of --allowed-origins", site, r.Host)
	default:
		return nil
	}
}

// refuseUpgrade answers a request that the library cannot upgrade.
func refuseUpgrade(w http.ResponseWriter, r *http.Request, status int, reason error) {
	bad := badf(status, "the connection cannot become a WebSocket: %s", strings.TrimPrefix(reason.Error(), "websocket: "))
	bad.write(w, acceptedBy(r))
}

// authenticate finds who is calling from the authorization in connection_init's
// payload or else in the upgrade request, or returns why to close the socket.
// The socket ends with the token.
func (s *socket) authenticate(payload map[string]any) *closing {
	header, err := authorization(payload, s.header.Get("Authorization"))
	if err != nil {
		return forbidden(err)
	}
	ctx, err := auth.Authenticate(s.ctx, s.api.tokens, header)
	if err != nil && domain.KindOf(err) != domain.Unauthenticated {
		return &closing{closeTryLater, "it cannot be told now whether the token is good; try again"}
	}
	if at, ends := auth.Expires(ctx); err == nil && ends && !time.Now().Before(at) {
		err = errExpired() // requests are given some leeway, connections are not
	}
	if err != nil {
		return forbidden(err)
	}
	release, err := s.api.quotas.admit(ctx)
	if err != nil {
		return closef(closeTryLater, "%s", err.Error())
	}
	s.release()
	s.ctx, s.release = ctx, release
	if header != "" {
		watchToken(ctx, s.api.tokens, header, s.limits.Ping, func(err error) { s.close(s.unwelcome(ctx, err)) })
	}
	return nil
}

func forbidden(err error) *closing { return closef(closeForbidden, "Forbidden: %s", err.Error()) }

// unwelcome is why a socket is closed whose caller's token is good no more.
func (s *socket) unwelcome(ctx context.Context, err error) closing {
	if errors.As(err, new(panicked)) {
		return *closef(closeInternal, "%s", s.api.present(ctx, err).Message)
	}
	return *closef(closeForbidden, "%s", err.Error())
}

// broken is why a socket is closed whose own work panicked.
func (t socketTransport) broken(ctx context.Context, v any) closing {
	return *closef(closeInternal, "%s", t.present(ctx, recovered(ctx, v)).Message)
}

// authorization is that of a connection_init payload, or else that of the
// upgrade request. Clients write the member's name in any case, as a header's,
// so there must not be two of them.
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
