package mongotest

import "syscall"

// dieWithParent makes the kernel kill a process when the thread that started
// it ends, in whatever way.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
