//go:build unix

package serverprocess

import (
	"os/exec"
	"syscall"
)

// Detach puts a command's process into a process group of its own. A terminal
// sends Ctrl-C to the whole foreground group; the child is stopped by Close.
func Detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
