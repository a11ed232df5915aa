// Command servemongod runs a MongoDB for tests, a replica set of one node with
// its data in a temporary folder, and prints the connection string. It ends,
// and everything with it, by a signal or when its standard input does: a caller
// that dies cannot leave it behind.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"chirp/internal/storage/mongodb/mongotest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := mongotest.Serve(ctx, func(uri string) { fmt.Println(uri) }); err != nil {
		fmt.Fprintln(os.Stderr, "servemongod:", err)
		os.Exit(1)
	}
}
