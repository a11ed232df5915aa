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
	origin  func(*http.Request) bool // may open a socket
}

// Supports implements graphql.Transport.
func (socketTransport) Supports(r *http.Request) bool { return asksForSocket(r) }

// asksForSocket says whether a request is to become a WebSocket. Some clients
// offer to upgrade every request to HTTP/2, which need not be taken up.
func asksForSocket(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "websocket")
}

// Do implements graphql.Transport.
func (t socketTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	release, err := t.quotas.await(r.Context())
	if err != nil {
		refuse(w, r, err)
		return
	}
	upgrader := websocket.Upgrader{
		Subprotocols: []string{subprotocol, legacySubprotocol}, CheckOrigin: t.origin, Error: refuseUpgrade,
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
	transport.Websocket{Implementation: upgraded{s}, InitFunc: t.initiate}.Do(w, r.WithContext(ctx), exec)
	select {
	case <-s.rules.settled():
	case <-time.After(settleTimeout):
	}
}

// settleTimeout bounds the wait for operations that were told to end.
const settleTimeout = 5 * time.Second

func goingAway(why error) closing { return closing{closeGoingAway, clip(why.Error())} }

// refuseUpgrade answers a request that cannot be upgraded.
func refuseUpgrade(w http.ResponseWriter, r *http.Request, status int, reason error) {
	kind := domain.Invalid
	if status == http.StatusForbidden {
		kind = domain.Forbidden
	}
	writeErrors(w, mediaOf(r), status, refusal(kind, strings.TrimPrefix(reason.Error(), "websocket: ")))
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
		s.watchToken(ctx, func() error { return auth.StillGood(t.tokens, header) })
	}
	return ctx, nil, nil
}

func authorization(payload transport.InitPayload, fallback string) (string, error) {
	for key, value := range payload {
		if !strings.EqualFold(key, "authorization") || value == nil {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return "", domain.Errorf(domain.Unauthenticated, `the authorization must be "Bearer" and a token`)
		}
		return text, nil
	}
	return fallback, nil
}

func forbid(ctx context.Context, err error) (context.Context, *transport.InitPayload, error) {
	return deny(ctx, closeForbidden, "Forbidden: "+err.Error(), err)
}

func deny(ctx context.Context, code int, reason string, err error) (context.Context, *transport.InitPayload, error) {
	ctx = transport.AppendCloseReason(ctx, clip(reason))
	return transport.WithWebsocketCloseCode(ctx, code), nil, err
}
