package transport_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"chirp/graph/transport"
)

func TestForwardedIPTrustsOnlyTrustedProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"a client that makes the header up", "192.0.2.1:1234", []string{"203.0.113.7"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:1234", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy, and what the client made up", "10.0.0.1:1234", []string{"203.0.113.7, 192.0.2.1"}, "192.0.2.1"},
		{"a made-up trusted address", "10.0.0.1:1234", []string{"10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "10.0.0.1:1234", []string{"203.0.113.7, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two proxies, a header each", "10.0.0.1:1234", []string{"203.0.113.7, 192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"proxies all the way", "10.0.0.1:1234", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"a proxy without the header", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"an empty header", "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"an address with a port", "10.0.0.1:1234", []string{"192.0.2.1:5678"}, "192.0.2.1"},
		{"IPv6", "[fd00::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "[fd00::1]:1234", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 in the form of IPv6", "[::ffff:10.0.0.1]:1234", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a hop that nobody knows", "10.0.0.1:1234", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"nonsense", "10.0.0.1:1234", []string{"'; DROP TABLE users"}, "10.0.0.1"},
		{"a huge header", "10.0.0.1:1234", []string{strings.Repeat("10.0.0.9,", 100_000) + "192.0.2.1"}, "192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if got := transport.ForwardedIP(trusted)(r); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			host, _, _ := strings.Cut(strings.TrimPrefix(c.remote, "["), "]")
			host, _, _ = strings.Cut(host, ":1234")
			if got := transport.ForwardedIP(nil)(r); got != host {
				t.Errorf("without trusted proxies: got %s, want that of the connection, %s", got, host)
			}
		})
	}
}
