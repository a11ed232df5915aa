package cli

import (
	"context"

	"chirp/graph/guard"
	"chirp/internal/app"
)

// Serve serves the API until ctx ends.
func Serve(ctx context.Context, cfg Config, std Streams) error {
	log := cfg.logger(std.Err)
	documents, err := cfg.Limits.documents(log)
	if err != nil {
		return err
	}
	proxies, err := cfg.proxies()
	if err != nil {
		return err
	}
	origins, err := cfg.origins()
	if err != nil {
		return err
	}
	hosts, err := cfg.publicHosts()
	if err != nil {
		return err
	}
	open := func(ctx context.Context) (app.Storage, error) { return openStore(ctx, cfg, log) }
	return app.Serve(ctx, app.Config{
		Addr: cfg.Addr, OpsAddr: cfg.opsAddr(), CelebrityThreshold: cfg.CelebrityThreshold, CacheBytes: cfg.rowBytes(),
		TokenSecret: cfg.TokenSecret, LocalPasswords: cfg.LocalPasswords, OIDCIssuer: cfg.OIDCIssuer, OIDCAudience: cfg.OIDCAudience,
		Guard: guard.Config{
			Limits: cfg.Limits.guardLimits(), RateLimit: cfg.RateLimit, RegistrationsPerDay: cfg.RegistrationsPerAddress, Introspection: cfg.Introspection,
			Documents: documents, DocumentsOnly: cfg.Limits.TrustedDocumentsOnly,
		},
		HTTP: cfg.Connections.limits(), Transport: cfg.transportLimits(), Origins: origins, PublicHosts: hosts, TrustedProxies: proxies, Demo: cfg.Demo,
	}, open, log)
}
