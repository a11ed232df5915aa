package app

import (
	"net"
	"net/netip"
	"testing"
)

func TestHomeURLIsOneThatABrowserCanOpen(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/",
		"[::1]:80":       "http://[::1]:80/",
		"0.0.0.0:8080":   "http://localhost:8080/",
		"[::]:8080":      "http://localhost:8080/",
		"192.0.2.1:443":  "http://192.0.2.1:443/",
	} {
		if got := homeURL(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
