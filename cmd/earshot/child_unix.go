//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C, which goes to the whole process group, from
// a child that is to be stopped in order.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
