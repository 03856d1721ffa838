//go:build unix

package serverprocess

import (
	"os/exec"
	"syscall"
)

// setProcessGroup puts the child into a process group of its own. A terminal
// sends Ctrl-C to the whole foreground group; the child is stopped by Close.
func setProcessGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
