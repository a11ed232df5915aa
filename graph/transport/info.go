package transport

import (
	"net"
	"net/http"
	"strings"

	"chirp/graph/request"
	"chirp/internal/domain"
	"chirp/internal/network"
)

// Headers that correlate requests.
const (
	RequestIDHeader   = "X-Request-Id"
	traceParentHeader = "Traceparent"
)

// readInfo reads a request's headers. It replaces a request id that is not 1 to 64
// characters from A–Z, a–z, 0–9, dot, underscore and hyphen. It returns an error for
// a position that cannot be parsed.
func readInfo(r *http.Request, clientIP func(*http.Request) string) (request.Info, error) {
	info := request.Info{ID: r.Header.Get(RequestIDHeader), TraceID: traceID(r.Header.Get(traceParentHeader)), Networks: network.Of(clientIP(r))}
	if len(info.ID) == 0 || len(info.ID) > 64 || strings.ContainsFunc(info.ID, notIDRune) {
		info.ID = request.NewID()
	}
	header := r.Header.Get(request.ReadAfterHeader)
	if header == "" {
		return info, nil
	}
	if n := len(r.Header.Values(request.ReadAfterHeader)); n > 1 {
		return info, domain.Errorf(domain.Invalid, "the request has the header %s %d times", request.ReadAfterHeader, n)
	}
	var err error
	if info.After, err = domain.ParsePosition(header); err != nil {
		err = domain.Errorf(domain.Invalid, "the header %s: %v", request.ReadAfterHeader, err)
	}
	return info, err
}

func notIDRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// traceID returns the trace id of a traceparent header, or "" if that is not valid:
// version-traceid-parentid-flags, all in lower-case hexadecimal.
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

// remoteIP returns the address that the request's connection comes from.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
