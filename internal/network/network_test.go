package network_test

import (
	"slices"
	"testing"

	"chirp/internal/network"
)

func TestOf(t *testing.T) {
	for ip, want := range map[string][]string{
		"192.0.2.1":              {"192.0.2.1"},
		"::ffff:192.0.2.1":       {"192.0.2.1"},
		"2001:db8:1:2345::1":     {"2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"},
		"fe80::1%eth0":           {"fe80::/64", "fe80::/56", "fe80::/48"},
		"a pipe":                 {"a pipe"},
		"":                       {""},
		"2001:db8:1:2345:a::b:c": {"2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"},
	} {
		if got := network.Of(ip); !slices.Equal(got, want) {
			t.Errorf("Of(%q): got %q, want %q", ip, got, want)
		}
	}
}
