//go:build !linux

package host

// addMachine adds what the system reports about the machine: nothing here.
func (e *Environment) addMachine() {}
