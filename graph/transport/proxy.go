package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const forwardedHeader = "X-Forwarded-For"

// ForwardedIP gives a Config.ClientIP for a server behind proxies: the address
// that the last trusted proxy saw. Each proxy adds to the right of
// X-Forwarded-For whom it was called by, so the header is read from the right
// for as long as the proxies are trusted; what stands further left may be
// anybody's invention, and so is all of it if the connection itself does not
// come from a trusted proxy.
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
				break // nobody knows: what is known is the proxy that says so
			}
			address = before
		}
		return address.String()
	}
}

func containsAddr(trusted []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) })
}

// parseIP reads an address, maybe with a port. An IPv4 address in IPv6's form
// is the same address, and a zone is of this machine only.
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
