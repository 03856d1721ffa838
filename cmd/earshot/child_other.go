//go:build !unix

package main

import "os/exec"

// apart does nothing here: a child gets a terminal's Ctrl-C as this process does.
func apart(*exec.Cmd) {}
