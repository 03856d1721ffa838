//go:build !linux

package loadgen

// giveWay does nothing here, where a thread has no niceness of its own.
func giveWay() {}
