package host

import (
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// addMachine adds what the system reports about the machine. Unknown fields stay empty.
func (e *Environment) addMachine() {
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		e.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return
	}
	if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 {
		e.CPU = cpus[0].ModelName
	}
	if memory, err := proc.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		e.Memory = *memory.MemTotalBytes
	}
}
