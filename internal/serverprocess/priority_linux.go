package serverprocess

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceIncrement is added to the generator's nice value. With 3, a thread of the
// server has about twice the weight of one of the generator (sched(7)). With
// more, the generator reads so late on a full machine that its sockets overflow.
const niceIncrement = 3

func threadID() int { return unix.Gettid() }

// lowerPriorityExcept raises the nice value of all threads of this process but
// one. New threads inherit the nice value of the thread that starts them.
func lowerPriorityExcept(thread int) {
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	if err != nil {
		return
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil && id != thread {
			// The system call returns 20 minus the nice value (getpriority(2)). It
			// fails for a thread that has ended, which does not matter.
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 20-priority+niceIncrement)
		}
	}
}
