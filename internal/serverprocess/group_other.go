//go:build !unix

package serverprocess

import "os/exec"

// Detach does nothing: there are no process groups here.
func Detach(*exec.Cmd) {}
