package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
)

// DefaultOpsAddr is the operator's address that a server takes if it is free.
const DefaultOpsAddr = "localhost:8081"

// anyOpsAddr is where a server listens for its operator if the default address
// is not free, so that a second server on a machine starts as the first one did.
const anyOpsAddr = "localhost:0"

// listeners are what a server listens on.
type listeners struct {
	public net.Listener
	ops    net.Listener // for the operator; nil if there is none
}

func listen(ctx context.Context, cfg Config, log *slog.Logger) (listeners, error) {
	var l listeners
	var err error
	if l.public, err = listenOn(ctx, cfg.Addr); err != nil {
		return l, err
	}
	if cfg.OpsAddr == "" {
		return l, nil
	}
	l.ops, err = listenOn(ctx, cfg.OpsAddr)
	if err != nil && cfg.OpsAddr == DefaultOpsAddr {
		log.Warn("the default operator's address is in use, so that of this server is another one; choose one by --ops-addr", "error", err)
		l.ops, err = listenOn(ctx, anyOpsAddr)
	}
	if err != nil {
		return l, fmt.Errorf("the operator's address: %w", errors.Join(err, l.public.Close()))
	}
	return l, nil
}

func listenOn(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}
