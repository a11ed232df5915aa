package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// Version prints the program's version.
func Version(_ context.Context, _ Config, std Streams) error {
	fmt.Fprintln(std.Out, "chirp", version())
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// versionFlag prints the version.
type versionFlag bool

// BeforeReset implements kong's hook: it comes before the variables are read.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, "chirp", version())
	app.Exit(0)
	return nil
}
