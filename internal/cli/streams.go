// Package cli holds the program's commands, each in a file of its own, and
// their command lines.
package cli

import (
	"errors"
	"io"
	"os"
)

// Streams are a command's standard streams.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// ErrInterrupted means that a signal ended a command before its work was done.
var ErrInterrupted = errors.New("interrupted")

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
