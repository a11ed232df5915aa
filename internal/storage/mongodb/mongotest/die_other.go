//go:build !linux

package mongotest

import "syscall"

// dieWithParent does nothing on this system: a server outlives a test process that is
// killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
