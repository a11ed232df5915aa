package httpserver

import (
	"cmp"
	"time"
)

// Limits bound what clients may hold of a server. The zero value of a field means
// its default.
type Limits struct {
	Connections           int           // in all; 10,000
	ConnectionsPerAddress int           // of one client address; twice and four times as many of an IPv6 /56 and /48; 2,000
	Header                time.Duration // until a request's headers must have arrived; 10 s
	Idle                  time.Duration // that a connection may be idle between requests; 2 min
}

// maxConnections is far beyond what a process can have, and stands for no limit.
const maxConnections = 1 << 24

// WithDefaults returns the limits with defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	return Limits{
		Connections:           min(maxConnections, cmp.Or(l.Connections, 10_000)),
		ConnectionsPerAddress: min(maxConnections, cmp.Or(l.ConnectionsPerAddress, 2000)),
		Header:                cmp.Or(l.Header, 10*time.Second),
		Idle:                  cmp.Or(l.Idle, 2*time.Minute),
	}
}
