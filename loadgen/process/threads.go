package process

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// ThreadTimes is what a thread has done since it began.
type ThreadTimes struct {
	Ran    time.Duration // on a core
	Waited time.Duration // for one, while ready
}

// ThreadTimesOf reads those of all threads of the processes that some threads of this machine belong to, by
// their numbers, from schedstat of proc_pid_schedstat(5). Those that have ended are not among them, nor any
// where the kernel does not tell.
func ThreadTimesOf(threads []int) map[int]ThreadTimes {
	times := make(map[int]ThreadTimes, len(threads))
	for _, thread := range threads {
		if _, known := times[thread]; !known {
			maps.Copy(times, threadTimes(thread))
		}
	}
	return times
}

// threadTimes reads those of all threads of the process that a thread belongs to; nil if there is none.
func threadTimes(thread int) map[int]ThreadTimes {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil
	}
	all, err := fs.AllThreads(thread)
	if err != nil {
		return nil
	}
	times := make(map[int]ThreadTimes, len(all))
	for _, t := range all {
		if s, err := t.Schedstat(); err == nil {
			times[t.PID] = ThreadTimes{time.Duration(s.RunningNanoseconds), time.Duration(s.WaitingNanoseconds)}
		}
	}
	return times
}

// ThreadName is what a thread of this machine is called; "" if it has ended.
func ThreadName(thread int) string {
	text, err := os.ReadFile(filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(thread), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
