// Package network names the networks that a client calls from. What one client may
// cause is limited by network, because addresses within one cost nothing.
package network

import "net/netip"

// Of returns the names of the networks that an IP address is in, the narrowest
// first. It is what one client is likely to have to itself, which is an IPv4
// address or an IPv6 /64; of IPv6 the /56 and the /48 follow, which are what
// providers assign to a household and to a company. A text that is no IP address
// names itself.
func Of(ip string) []string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return []string{ip}
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return []string{a.String()}
	}
	names := make([]string, 0, len(widths))
	for _, bits := range widths {
		names = append(names, netip.PrefixFrom(a, bits).Masked().String())
	}
	return names
}

// widths are the lengths of the prefixes of IPv6 networks.
var widths = [...]int{64, 56, 48}

// Kinds is the greatest number of names that Of returns.
const Kinds = len(widths)
