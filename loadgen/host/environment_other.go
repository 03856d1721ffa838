//go:build !linux

package host

// machine fills in what the system tells of the machine: nothing, here.
func (e *Environment) addMachine() {}
