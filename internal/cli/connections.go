package cli

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"chirp/internal/app/httpserver"
)

// connectionFlags are the flags that limit what clients hold of the server.
type connectionFlags struct {
	MaxConnections        int           `env:"CHIRP_MAX_CONNECTIONS" default:"10000" placeholder:"N" help:"Connections in all (default ${default}), or as many as the process's limit of open files leaves if that is less. 0 means only that limit." for:"serve"`
	ConnectionsPerAddress int           `env:"CHIRP_CONNECTIONS_PER_ADDRESS" default:"2000" placeholder:"N" help:"Connections that one address may keep open while there is room for as many others (default ${default}); 0 means no limit of its own." for:"serve"`
	HeaderTimeout         time.Duration `env:"CHIRP_HEADER_TIMEOUT" default:"10s" placeholder:"TIME" help:"Time until a request's headers must have arrived (default ${default})." for:"serve"`
	IdleTimeout           time.Duration `env:"CHIRP_IDLE_TIMEOUT" default:"2m" placeholder:"TIME" help:"Time that a connection may be idle between requests (default ${default})." for:"serve"`
}

// check refuses limits that cannot be.
func (f connectionFlags) check() error {
	if err := cmp.Or(atLeast("--max-connections", f.MaxConnections, 0), atLeast("--connections-per-address", f.ConnectionsPerAddress, 0)); err != nil {
		return err
	}
	switch {
	case f.HeaderTimeout <= 0:
		return fmt.Errorf("--header-timeout: %s is not more than 0", f.HeaderTimeout)
	case f.IdleTimeout <= 0:
		return fmt.Errorf("--idle-timeout: %s is not more than 0", f.IdleTimeout)
	}
	return nil
}

// limits returns the limits as the server has them.
func (f connectionFlags) limits() httpserver.Limits {
	unlimited := func(n int) int {
		if n == 0 {
			return math.MaxInt
		}
		return n
	}
	return httpserver.Limits{
		Connections: unlimited(f.MaxConnections), ConnectionsPerAddress: unlimited(f.ConnectionsPerAddress),
		Header: f.HeaderTimeout, Idle: f.IdleTimeout,
	}
}
