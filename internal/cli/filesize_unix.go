//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// ignoreFileSizeSignal makes a write beyond the limit of a file's size fail, as
// one to a full disk does. The signal would end the process.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
