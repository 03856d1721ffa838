//go:build !linux

package loadgen

// machine fills in what the system tells of the machine: nothing, here.
func (e *Environment) machine() {}
