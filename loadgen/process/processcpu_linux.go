package process

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU returns the user and system time that a process has used, in nanoseconds.
// /proc has it in hundredths of a second, which is too coarse for a server with little
// to do.
func processCPU(pid int) (time.Duration, error) {
	// The CPU clock of a process, CPUCLOCK_SCHED: clock_getcpuclockid(3).
	const sched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
