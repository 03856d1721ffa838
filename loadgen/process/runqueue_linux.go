package process

import (
	"os"
	"time"
)

// RunQueueWait returns how long this process's threads have waited for a core while
// ready to run, in total: the run-queue delay of proc_pid_schedstat(5). ok is false if
// the kernel does not report it. The wait of threads that have ended is lost, so the
// value can decrease a little.
func RunQueueWait() (wait time.Duration, ok bool) {
	for _, w := range RunQueueWaitsOf(os.Getpid()) {
		wait, ok = wait+w, true
	}
	return wait, ok
}

// RunQueueWaitsOf returns how long each thread of a process has waited so, by the thread's
// number; nil if it is not known.
func RunQueueWaitsOf(pid int) map[int]time.Duration {
	times := threadTimes(pid)
	if times == nil {
		return nil
	}
	waits := make(map[int]time.Duration, len(times))
	for thread, t := range times {
		waits[thread] = t.Waited
	}
	return waits
}
