package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const forwardedHeader = "X-Forwarded-For"

// ForwardedIP returns a function that returns a request's client address, for a
// server behind proxies: the address that called the first trusted proxy. Each proxy
// appends its caller's address to X-Forwarded-For. So the header is read from the
// right for as long as the addresses are those of trusted proxies. Anything further
// left may be forged, and so may the whole header if the connection does not come
// from a trusted proxy.
func ForwardedIP(trusted []netip.Prefix) func(*http.Request) string {
	if len(trusted) == 0 {
		return remoteIP
	}
	return func(r *http.Request) string {
		address, ok := parseIP(r.RemoteAddr)
		if !ok {
			return remoteIP(r)
		}
		hops := strings.Join(r.Header.Values(forwardedHeader), ",")
		for containsAddr(trusted, address) && hops != "" {
			last := hops
			hops = ""
			if i := strings.LastIndexByte(last, ','); i >= 0 {
				hops, last = last[:i], last[i+1:]
			}
			before, ok := parseIP(strings.TrimSpace(last))
			if !ok {
				break // the last address that is known is the proxy's
			}
			address = before
		}
		return address.String()
	}
}

// FromProxy reports whether a connection comes from a trusted proxy.
func FromProxy(trusted []netip.Prefix, remoteAddr string) bool {
	address, ok := parseIP(remoteAddr)
	return ok && containsAddr(trusted, address)
}

func containsAddr(trusted []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) })
}

// parseIP parses an address with or without a port. It converts an IPv4-mapped IPv6
// address to IPv4, and removes the zone.
func parseIP(s string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}
