package apitest

import (
	"os/exec"
	"syscall"
)

// DieWithParent makes the kernel kill a process when the test process ends,
// however that comes about.
func DieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
