package host

import "runtime"

// A Machine is what a run may use of the machine it is on.
type Limits struct {
	// Files is how many a process may have open; 0 if there is no limit.
	Files uint64
	// Cores is how many may be used.
	Cores int
	// Buffer is the largest receive buffer, of those that the crowd asks for, that
	// the system allows a socket, in bytes. 0 if it is the system's default.
	ReceiveBuffer int
}

// ThisMachine is what this process may use.
func CurrentLimits() Limits {
	m := Limits{Cores: runtime.GOMAXPROCS(0), ReceiveBuffer: ReceiveBuffer()}
	m.Files, _ = openFiles()
	return m
}
