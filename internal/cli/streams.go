// Package cli holds the program's commands, each in a file of its own, and
// their command lines.
package cli

import (
	"errors"
	"io"
	"os"
	"runtime"
)

// Streams are a command's standard streams.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// ErrInterrupted means that a signal ended a command before its work was done.
var ErrInterrupted = errors.New("interrupted")

// readableByOthers reports whether a stream is a file that users other than its
// owner can read. Windows does not say so in a mode.
func readableByOthers(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok || runtime.GOOS == "windows" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o044 != 0
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
