package loadgen

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// laneNice is by how much nicer than the process the threads are that read the
// crowd's shared sockets: they have a third of an ordinary thread's weight
// (sched(7)). Their work can wait, as the kernel has stamped every packet by then;
// what a server on the same machine does at that moment cannot.
const laneNice = 5

// giveWay gives the calling goroutine a thread of its own, which ends with the
// goroutine and is nicer than the rest of the process. Where the system refuses
// that, the thread is like any other, and the run is a little less kind to the
// server beside it.
func giveWay() {
	runtime.LockOSThread()
	// On Linux each thread has a niceness of its own, and 0 is the calling one.
	// The system call gives it as 20 less the niceness (getpriority(2)).
	if priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-priority+laneNice)
	}
}
