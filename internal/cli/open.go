package cli

import (
	"context"
	"log/slog"

	"chirp/internal/app"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/sqlite"
)

// openStore opens the store of the config for its command. The server and an
// import have an embedded store to themselves, except for commands that read.
func openStore(ctx context.Context, cfg Config, log *slog.Logger) (app.Storage, error) {
	ignoreFileSizeSignal()
	if cfg.MongodbURI != "" {
		store, err := mongodb.Open(ctx, cfg.MongodbURI, cfg.MongodbDatabase, mongodb.Options{
			Log: log, Import: cfg.Command == "import", Existing: changes(cfg.Command),
			ReadOnly: cfg.Command == "verify" || cfg.Command == "export",
		})
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	store, err := sqlite.Open(ctx, cfg.Data, sqlite.Options{
		Exclusive: cfg.Command == "serve" || cfg.Command == "import", ReadOnly: cfg.Command == "verify" || cfg.Command == "export",
		Existing: changes(cfg.Command), CacheBytes: cfg.pageBytes(), Log: log,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// changes reports whether a command changes a store that is there.
func changes(command string) bool { return command == "rebuild" || command == "user" }
