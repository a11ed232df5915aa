package graph

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// socketTransport serves GraphQL over WebSocket. The upgrade is made here and
// handed to gqlgen's transport, which runs the operations; see socket and
// protocol for the rest.
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
	s := newSocket(ws, t.limits, r.Header.Get("Authorization"))
	s.release = release
	defer func() {
		_ = s.Close()
		s.release()
	}()
	defer func() {
		if v := recover(); v != nil {
			s.begin(t.broken(r.Context(), v))
		}
	}()
	remove, err := t.streams.add(func(why error) { s.begin(goingAway(why)) })
	if err != nil {
		s.begin(goingAway(err))
		return
	}
	defer remove()
	if ws.Subprotocol() == "" {
		s.begin(closing{closeNotAcceptable, "Subprotocol not acceptable"})
		return
	}
	ctx := context.WithValue(r.Context(), socketKey{}, s)
	transport.Websocket{Implementation: upgraded{s}, InitFunc: t.initiateContained}.Do(w, r.WithContext(ctx), exec)
	select {
	case <-s.rules.settled():
	case <-time.After(settleTimeout):
	}
}

// settleTimeout bounds the wait for operations that were told to end.
const settleTimeout = 5 * time.Second

func goingAway(why error) closing { return closing{closeGoingAway, clip(why.Error())} }

// checkUpgrade says why a request cannot become a socket, nil if it can.
func (t socketTransport) checkUpgrade(w http.ResponseWriter, r *http.Request) *badHTTP {
	site, foreign := t.origins.Foreign(r)
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return badf(http.StatusMethodNotAllowed, "a WebSocket is opened by GET, not %.20s", r.Method)
	case !names(r.Header["Upgrade"], "websocket") || !names(r.Header["Connection"], "upgrade"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return badf(http.StatusUpgradeRequired, "this is a WebSocket request without Upgrade: websocket and Connection: Upgrade; a proxy on the way has probably removed these headers, and must be told to pass them on")
	case !names(r.Header["Sec-Websocket-Version"], "13"):
		w.Header().Set("Sec-WebSocket-Version", "13")
		return badf(http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13")
	case foreign:
		return badf(http.StatusForbidden, "pages of %.200s may not open a socket here: the site is not this server's own, which by the request's Host is %.200s, nor one of --allowed-origins", site, r.Host)
	default:
		return nil
	}
}

// names reports whether a header's list has an element, in any case.
func names(values []string, element string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), element) {
				return true
			}
		}
	}
	return false
}

// allowedOrigins are the sites of a config.
func allowedOrigins(cfg Config) *Origins {
	origins, err := ParseOrigins(cfg.AllowedOrigins)
	if err != nil {
		cfg.Logger.Error("no other site may use the API", "error", err)
		return &Origins{}
	}
	return origins
}

// refuseUpgrade answers a request that the library cannot upgrade.
func refuseUpgrade(w http.ResponseWriter, r *http.Request, status int, reason error) {
	bad := badf(status, "the connection cannot become a WebSocket: %s", strings.TrimPrefix(reason.Error(), "websocket: "))
	bad.write(w, acceptedBy(r))
}

// upgraded is a transport.WebsocketImplementation for a socket that is there.
type upgraded struct{ socket *socket }

// Accept implements transport.WebsocketImplementation.
func (u upgraded) Accept(http.ResponseWriter, *http.Request, transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	return u.socket, nil
}

type socketKey struct{}

// socketFrom gives the socket that an operation came in by, nil if none.
func socketFrom(ctx context.Context) *socket {
	s, _ := ctx.Value(socketKey{}).(*socket)
	return s
}

// initiate settles who is calling from the authorization in connection_init's
// payload or else in the upgrade request. The socket looks again from time to
// time whether the token is good, and ends with it.
func (t socketTransport) initiate(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	s := socketFrom(ctx)
	header, err := authorization(payload, s.authorization)
	if err != nil {
		return forbid(ctx, err)
	}
	ctx, err = auth.Authenticate(ctx, t.tokens, header)
	if err != nil && domain.KindOf(err) != domain.Unauthenticated {
		err = domain.Errorf(domain.Unavailable, "it cannot be told now whether the token is good; try again")
		return deny(ctx, closeTryLater, err.Error(), err)
	}
	if at, ends := auth.Expires(ctx); err == nil && ends && !time.Now().Before(at) {
		err = errExpired() // requests are given some leeway, connections are not
	}
	if err != nil {
		return forbid(ctx, err)
	}
	release, err := t.quotas.admit(ctx)
	if err != nil {
		return deny(ctx, closeTryLater, err.Error(), err)
	}
	s.release()
	s.release = release
	if header != "" {
		s.watchToken(ctx, func() *closing { return t.verify(ctx, header) })
	}
	return ctx, nil, nil
}

// authorization is that of a connection_init payload, or else that of the
// upgrade request. Clients write the member's name in any case, as a header's,
// so there must not be two of them.
func authorization(payload transport.InitPayload, fallback string) (string, error) {
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

func forbid(ctx context.Context, err error) (context.Context, *transport.InitPayload, error) {
	return deny(ctx, closeForbidden, "Forbidden: "+err.Error(), err)
}

func deny(ctx context.Context, code int, reason string, err error) (context.Context, *transport.InitPayload, error) {
	ctx = transport.AppendCloseReason(ctx, clip(reason))
	return transport.WithWebsocketCloseCode(ctx, code), nil, err
}
