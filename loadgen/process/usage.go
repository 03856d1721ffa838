package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Usage is what a process has used.
type Usage struct {
	CPU    time.Duration // user and system time since the process began
	Memory uint64        // resident memory now, in bytes
	Cores  int           // how many cores it may use, as it says itself; 0 if unknown
	// Began is when the process began, in seconds since 1970, as it says itself; 0 if unknown.
	Began float64

	// Waits is how long each thread was ready and waited for a core since it began, by its
	// number; nil if unknown.
	Waits map[int]time.Duration
}

// CPUSince returns the CPU time that was used since an earlier use. It is false if that is not known:
// the process has begun anew, or a part of it has ended that nobody had waited for.
func (u Usage) CPUSince(before Usage) (used time.Duration, known bool) {
	if u.Began != before.Began || u.CPU < before.CPU {
		return 0, false
	}
	return u.CPU - before.CPU, true
}

// WaitSince returns for how long the process's threads were ready and waited for a core
// since an earlier use, all of them together. It is false if that is not known: the
// wait of a thread that has ended is lost.
func (u Usage) WaitSince(before Usage) (wait time.Duration, ok bool) {
	if u.Waits == nil || before.Waits == nil {
		return 0, false
	}
	for thread := range before.Waits {
		if _, lives := u.Waits[thread]; !lives {
			return 0, false
		}
	}
	for thread, w := range u.Waits {
		wait += max(0, w-before.Waits[thread])
	}
	return wait, true
}

// ErrEnded means that there is no such process any more. What else keeps a process from being measured,
// such as no more open files, says nothing of it.
var ErrEnded = errors.New("it has ended")

// ended is an error of reading about a process, as [ErrEnded] if that is why.
func ended(pid int, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		err = ErrEnded
	}
	return fmt.Errorf("measure process %d: %w", pid, err)
}

// UsageOf is what one process of this machine has used, by its number. The error is
// [ErrEnded] if there is no such process, or it has ended.
func UsageOf(pid int) (Usage, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, ended(pid, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return Usage{}, ended(pid, err)
	}
	if stat.State == "Z" || stat.State == "X" {
		return Usage{}, fmt.Errorf("measure process %d: %w", pid, ErrEnded)
	}
	cpu, err := processCPU(pid)
	if err != nil {
		cpu = time.Duration(stat.CPUTime() * float64(time.Second))
	}
	return Usage{
		CPU:    cpu,
		Memory: uint64(stat.ResidentMemory()),
		Waits:  RunQueueWaitsOf(pid),
	}, nil
}

// Memory returns the resident memory of this process in bytes, or 0 if it is unknown.
func Memory() uint64 {
	u, err := UsageOf(os.Getpid())
	if err != nil {
		return 0
	}
	return u.Memory
}
