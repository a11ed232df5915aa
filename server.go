// Chirp is a self-hosted social-feed server: a GraphQL API with live
// subscriptions over an event log, on MongoDB or on an embedded store.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"chirp/internal/cli"
)

const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it for Ctrl-C
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, std cli.Streams) int {
	cfg, err := cli.Parse(args, std.Out)
	switch {
	case errors.Is(err, cli.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(std.Err, "chirp:", err)
		return exitUsage
	}
	switch err := command(cfg.Command)(ctx, cfg, std); {
	case err == nil:
		return 0
	case errors.Is(err, cli.ErrInterrupted):
		fmt.Fprintln(std.Err, "chirp:", err)
		return exitInterrupted
	default:
		fmt.Fprintln(std.Err, "chirp:", err)
		return exitFailure
	}
}

// command returns the command of a name.
func command(name string) func(context.Context, cli.Config, cli.Streams) error {
	switch name {
	case "rebuild":
		return cli.Rebuild
	case "verify":
		return cli.Verify
	case "export":
		return cli.Export
	case "import":
		return cli.Import
	case "user":
		return cli.User
	case "version":
		return cli.Version
	default:
		return cli.Serve
	}
}
