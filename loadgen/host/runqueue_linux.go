package host

import (
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// RunQueueWait returns how long this process's threads have waited for a core while
// ready to run, in total: the run-queue delay of proc_pid_schedstat(5). ok is false if
// the kernel does not report it. The wait of threads that have ended is lost, so the
// value can decrease a little.
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
