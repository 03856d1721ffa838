package host

import (
	"time"

	"github.com/prometheus/procfs"
)

// ThreadTimes is what a thread has done since it began.
type ThreadTimes struct {
	Ran    time.Duration // on a core
	Waited time.Duration // for one, while ready
}

// ThreadTimesOf reads those of some threads of this machine, by their numbers, from schedstat of
// proc_pid_schedstat(5). Those that have ended are not among them, nor any where the kernel does not
// tell.
func ThreadTimesOf(threads []int) map[int]ThreadTimes {
	times := make(map[int]ThreadTimes, len(threads))
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return times
	}
	for _, thread := range threads {
		p, err := fs.Proc(thread) // which finds threads, too
		if err != nil {
			continue
		}
		if s, err := p.Schedstat(); err == nil {
			times[thread] = ThreadTimes{time.Duration(s.RunningNanoseconds), time.Duration(s.WaitingNanoseconds)}
		}
	}
	return times
}
