package httpserver

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"chirp/graph/transport"
)

// Hosts are the names by which a server may be called. A page of another site can
// give its own name this server's address (DNS rebinding), and its visitors'
// browsers then take the server for a part of that site; but they send that name
// in the header Host.
//
// At a loopback address a server answers to loopback names only. At any other
// address it also answers to IP addresses, which need no DNS, and to names that no
// stranger can register: those without a dot, those of local networks and the
// machine's own.
type Hosts struct {
	Public  *transport.Origins // further names, see ParsePublicHosts; may be nil
	Origins *transport.Origins // sites whose pages may use the API under any name; may be nil
	Proxies []netip.Prefix     // whose X-Forwarded-Host is believed

	loopback bool
	machine  string // its own name, empty if unknown
	refusals *throttledLog
	proxies  *throttledLog
}

// At returns the hosts of a server that listens at an address. It logs refusals
// from time to time.
func (h Hosts) At(addr net.Addr, log *slog.Logger) *Hosts {
	tcp, ok := addr.(*net.TCPAddr)
	h.loopback = ok && tcp.IP.IsLoopback()
	h.machine, _ = os.Hostname()
	h.machine = strings.ToLower(h.machine)
	h.refusals = &throttledLog{log: log, every: 10 * time.Second}
	h.proxies = &throttledLog{log: log, every: time.Hour}
	return &h
}

// ParsePublicHosts parses names such as chirp.example.com, without scheme and
// port. A star in a name stands for any characters.
func ParsePublicHosts(names []string) (*transport.Origins, error) {
	origins := make([]string, len(names))
	for i, name := range names {
		name = strings.TrimSpace(name)
		bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
		if _, err := netip.ParseAddr(bare); name == "" || strings.ContainsAny(name, "/@?#, ") || strings.Contains(name, ":") && err != nil {
			return nil, fmt.Errorf("%q is not a name such as chirp.example.com, without scheme and port", name)
		} else if err == nil && strings.Contains(bare, ":") {
			name = "[" + bare + "]"
		}
		origins[i] = name
		if name != "*" {
			origins[i] = "http://" + name
		}
	}
	return transport.ParseOrigins(origins)
}

// forwardedHost is the header in which a proxy passes on the name by which it was
// called.
const forwardedHost = "X-Forwarded-Host"

// noticeProxy warns about a proxy on this machine or in its network that is not
// trusted, because the limits of one address are then shared by all who come through
// it. Others can send the header too, but not from such an address.
func (h *Hosts) noticeProxy(r *http.Request) {
	if r.Header.Get("X-Forwarded-For") == "" || transport.FromProxy(h.Proxies, r.RemoteAddr) {
		return
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if address := from.Addr().Unmap(); err == nil && (address.IsLoopback() || address.IsPrivate()) {
		h.proxies.warn("requests come through a proxy that is not one of --trusted-proxies, so all its clients share the limits of one address", "proxy", address)
	}
}

// refuse answers a request that calls the server by another's name, and reports
// whether it did. Behind a trusted proxy it sets the request's Host to the one that
// the proxy was called by.
func (h *Hosts) refuse(w http.ResponseWriter, r *http.Request) bool {
	h.noticeProxy(r)
	names := []string{r.Host}
	if forwarded := r.Header.Values(forwardedHost); len(forwarded) > 0 && transport.FromProxy(h.Proxies, r.RemoteAddr) {
		last := forwarded[len(forwarded)-1] // the trusted proxy's own, if it appends
		r.Host = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		names = append(names, r.Host)
	}
	for _, name := range names {
		if !h.answersTo(name) {
			h.refusals.warn("a request was refused because it calls the server by a name that is not one of --public-host", "host", fmt.Sprintf("%.200s", name))
			refuse(w, http.StatusMisdirectedRequest, "BAD_USER_INPUT", misdirected(name))
			return true
		}
	}
	return false
}

func misdirected(host string) string {
	name, _, ok := splitHost(host)
	if !ok {
		return fmt.Sprintf("the request names no host that could be this server: %.200q", host)
	}
	return fmt.Sprintf("this server does not answer to the name %.200q; if it is one of its names, the operator starts it with --public-host %.200s", host, name)
}

// answersTo reports whether the value of a header Host is one of the server's.
func (h *Hosts) answersTo(host string) bool {
	name, ip, ok := splitHost(host)
	switch {
	case !ok:
		return false
	case ip.IsLoopback() || name == "localhost" || strings.HasSuffix(name, ".localhost"):
		return true
	case !h.loopback && (ip.IsValid() || name == h.machine || isLocalName(name)):
		return true
	}
	if ip.Is6() {
		name = "[" + name + "]"
	}
	return h.Public.AllowsHost(name) || h.Origins.AllowsHost(name)
}

// localSuffixes returns the domains of local networks and of clusters, in which no
// stranger can register a name.
func localSuffixes() []string {
	return []string{".local", ".internal", ".lan", ".home", ".home.arpa", ".localdomain", ".svc"}
}

func isLocalName(name string) bool {
	return !strings.Contains(name, ".") || slices.ContainsFunc(localSuffixes(), func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// splitHost returns the name in the value of a header Host, in lower case and
// without the port and a final dot, and the IP address that it is, if it is one.
func splitHost(host string) (name string, ip netip.Addr, ok bool) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", ip, false
	}
	if inner, bracketed := strings.CutPrefix(name, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		inner, _, _ = strings.Cut(inner, "%") // a zone says through which interface, not where to
		ip, err := netip.ParseAddr(inner)
		return ip.Unmap().String(), ip.Unmap(), closed && err == nil && ip.Is6()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "", ip, false
	}
	ip, _ = netip.ParseAddr(name)
	return name, ip.Unmap(), true
}
