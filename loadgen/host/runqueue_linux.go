package host

import (
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// ownWait is how long this process's threads have been ready to run and waited
// for a core, all together: the run-queue delay of proc_pid_schedstat(5). ok is
// false if the kernel does not tell. That of threads that have ended is lost, so
// it can go down by a little.
func RunQueueWait() (wait time.Duration, ok bool) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, false
	}
	threads, err := proc.AllThreads(os.Getpid())
	if err != nil {
		return 0, false
	}
	for _, t := range threads {
		if s, err := t.Schedstat(); err == nil {
			wait += time.Duration(s.WaitingNanoseconds)
			ok = true
		}
	}
	return wait, ok
}
