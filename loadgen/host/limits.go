package host

import "runtime"

// Limits are how much of its machine a process may use.
type Limits struct {
	// Files is how many files the process may have open; 0 is no limit.
	Files uint64
	// Cores is how many cores it may use.
	Cores int
	// ReceiveBuffer is the largest receive buffer that the system allows a socket, among
	// the sizes that the crowd requests, in bytes. 0 is the system's default.
	ReceiveBuffer int
}

// CurrentLimits returns the limits of this process.
func CurrentLimits() Limits {
	m := Limits{Cores: runtime.GOMAXPROCS(0), ReceiveBuffer: ReceiveBuffer()}
	m.Files, _ = openFiles()
	return m
}
