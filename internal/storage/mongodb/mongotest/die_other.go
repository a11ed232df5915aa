//go:build !linux

package mongotest

import "syscall"

// dieWithParent has no means here: a server outlives a test process that is
// killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
