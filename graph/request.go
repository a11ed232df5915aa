package graph

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

// call is what is known of the HTTP request that an operation came in with,
// for a socket of its upgrade request.
type call struct {
	id      string // the request's, from its header or made here
	traceID string // of the W3C trace that the request belongs to, or empty
	address string // the client's, for rate limits
	after   domain.Position
}

type callKey struct{}

func withCall(ctx context.Context, c call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callFrom(ctx context.Context) (call, bool) {
	c, ok := ctx.Value(callKey{}).(call)
	return c, ok
}

// Headers that tie a request to others.
const (
	requestIDHeader   = "X-Request-Id"
	traceParentHeader = "Traceparent"
	readAfterHeader   = "Chirp-Read-After"
)

// newCall reads a request's headers. A request id that is not 1 to 64 of the
// characters A–Z, a–z, 0–9, dot, underscore and hyphen is replaced; a position
// that is none is an error.
func newCall(r *http.Request, clientIP func(*http.Request) string) (call, error) {
	c := call{id: r.Header.Get(requestIDHeader), traceID: traceID(r.Header.Get(traceParentHeader)), address: network(clientIP(r))}
	if len(c.id) == 0 || len(c.id) > 64 || strings.ContainsFunc(c.id, notIDRune) {
		c.id = randomID()
	}
	header := r.Header.Get(readAfterHeader)
	if header == "" {
		return c, nil
	}
	if n := len(r.Header.Values(readAfterHeader)); n > 1 {
		return c, domain.Errorf(domain.Invalid, "the request has the header %s %d times", readAfterHeader, n)
	}
	var err error
	if c.after, err = domain.ParsePosition(header); err != nil {
		err = domain.Errorf(domain.Invalid, "the header %s: %v", readAfterHeader, err)
	}
	return c, err
}

func notIDRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// traceID gives the trace id of a traceparent header, empty for one that is
// not valid: version-traceid-parentid-flags, all in lower-case hexadecimal.
func traceID(header string) string {
	parts := strings.Split(header, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return ""
	}
	for _, p := range parts[:3] {
		if strings.Trim(p, "0123456789abcdef") != "" {
			return ""
		}
	}
	if strings.Trim(parts[1], "0") == "" {
		return ""
	}
	return parts[1]
}

// remoteIP is the address that the request's connection comes from.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// network gives what one client is likely to have to itself: an IPv4 address,
// or the first 64 bits of an IPv6 address.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Unmap().Is4() {
		return ip
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return p.String()
}

// meta is what every command carries of the request.
func meta(ctx context.Context, commandID *string) (command.Meta, error) {
	c, _ := callFrom(ctx)
	m := command.Meta{CorrelationID: c.id, TraceID: c.traceID}
	if commandID == nil {
		return m, nil
	}
	if *commandID == "" {
		return m, domain.Errorf(domain.Invalid, "commandId is empty; leave it out, or give it 1 to 64 printable characters")
	}
	m.CommandID = *commandID
	return m, nil
}

// caller gives who is calling, or an error of kind Unauthenticated.
func caller(ctx context.Context) (domain.UserID, error) {
	id, ok := auth.Caller(ctx)
	if _, outside := auth.Identity(ctx); outside && !ok {
		return "", domain.Errorf(domain.Unauthenticated, "your token is good, but its identity has no account here; make one with registerUser, without a password")
	}
	if !ok {
		return "", domain.Errorf(domain.Unauthenticated, "this needs a token; log in and send it as Authorization: Bearer …")
	}
	return id, nil
}
