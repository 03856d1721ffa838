package host

import (
	"os"
	"runtime"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// Limits are how much of its machine a process may use.
type Limits struct {
	// Files is how many files the process may have open; 0 is no limit.
	Files uint64
	// Cores is how many cores it may use, and Quota how many the quota of its control
	// group allows it; 0 is all.
	Cores int
	Quota float64
	// ReceiveBuffer is the largest receive buffer that the system allows a socket, among
	// the sizes that the crowd requests, in bytes. 0 is the system's default.
	ReceiveBuffer int
}

// Usable is how many cores it may use, by its quota, too.
func (m Limits) Usable() float64 {
	if cores := float64(m.Cores); m.Quota == 0 || cores < m.Quota {
		return cores
	}
	return m.Quota
}

// CurrentLimits returns the limits of this process.
func CurrentLimits() Limits {
	m := Limits{Cores: runtime.GOMAXPROCS(0), ReceiveBuffer: ReceiveBuffer(), Quota: process.ControlGroupOf(os.Getpid()).Quota}
	m.Files, _ = openFiles()
	return m
}
