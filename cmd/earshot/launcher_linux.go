package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// runNice is by how much a run is nicer than its server: a thread of the server has
// twice the weight of one of the run (sched(7)). With more, the crowd reads so late
// on a machine that is full that its sockets overflow.
const runNice = 3

func threadID() int { return unix.Gettid() }

// benice makes all threads of this process but one nicer than that one. Threads to
// come are as nice as those that start them.
func benice(but int) {
	ordinary, err := unix.Getpriority(unix.PRIO_PROCESS, but)
	if err != nil {
		return
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil && id != but {
			// The system call gives 20 less the niceness (getpriority(2)). One thread
			// that has ended meanwhile is nobody's loss.
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 20-ordinary+runNice)
		}
	}
}
