//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// takeFileSizeAsError makes a write beyond the limit of a file's size fail, as
// one to a full disk does, where it would end the process.
func takeFileSizeAsError() { signal.Ignore(syscall.SIGXFSZ) }
