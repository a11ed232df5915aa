package app

import (
	"context"
	"log/slog"

	"chirp/internal/app/httpserver"
)

const (
	// ownFiles is how many files the server may need besides its clients'
	// connections. The embedded store under load, with views that were rebuilt
	// twice, had up to 117 open, and has at most about 170; MongoDB has 100
	// connections. The operator's connections and the rest take about 30.
	ownFiles = 256
	// opsConnections is how many connections the operator may have.
	opsConnections = 16
	// fewConnections is how many connections are too few for a server that many
	// people use, who have several each.
	fewConnections = 500
)

// withinFiles lowers the limit of connections to what the process's limit of open
// files leaves, so that the store can always open its own. The Go runtime has raised
// that limit as far as the system lets it. Of a small limit clients get a quarter.
func withinFiles(limits httpserver.Limits, files int, log *slog.Logger) httpserver.Limits {
	limits = limits.WithDefaults()
	left := max(1, files-min(ownFiles, files/4*3))
	if left >= limits.Connections {
		return limits
	}
	level := slog.LevelInfo
	if left < fewConnections {
		level = slog.LevelWarn
	}
	log.Log(context.Background(), level, "fewer connections than --max-connections are accepted, because the process may have few files open", "connections", left, "files", files)
	limits.Connections = left
	return limits
}
