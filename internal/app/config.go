package app

import (
	"net/netip"

	"chirp/graph/guard"
	"chirp/graph/transport"
	"chirp/internal/app/httpserver"
)

// Config says how a server runs.
type Config struct {
	Addr    string // to listen on; port 0 takes a free one
	OpsAddr string // the operator's, for metrics, profiles and the reasons of probes; empty for none

	CelebrityThreshold int64  // followers from which a user is a celebrity
	CacheBytes         int64  // of rows that were read from the views
	TokenSecret        string // signs tokens; empty for the one kept in the store
	LocalPasswords     bool   // users may register and log in with passwords
	OIDCIssuer         string // its tokens are accepted as well, unless it is empty
	OIDCAudience       string // what those must have as their audience

	Guard          guard.Config       // limits of what one request may ask; without introspection there is no GraphiQL either
	HTTP           httpserver.Limits  // of connections
	Transport      transport.Limits   // of bodies and sockets
	Origins        *transport.Origins // sites whose pages may use the API, nil for this server's alone
	PublicHosts    *transport.Origins // names that clients call the server by, besides those that it has anyway; may be nil
	TrustedProxies []netip.Prefix     // whose X-Forwarded-For and X-Forwarded-Host are believed
	Demo           bool               // fill an empty store, and go on posting
}
