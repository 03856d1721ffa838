package host

import (
	"time"

	"github.com/prometheus/procfs"
)

// CPUTimes is what the machine's cores did since it started, summed over them.
type CPUTimes struct {
	Busy  time.Duration // in processes, in user and system mode
	Other time.Duration // in interrupts, of which it is not known whose they are
	Steal time.Duration // taken by the hypervisor
	Idle  time.Duration
}

// Sub is what the cores did since an earlier reading.
func (t CPUTimes) Sub(o CPUTimes) CPUTimes {
	return CPUTimes{t.Busy - o.Busy, t.Other - o.Other, t.Steal - o.Steal, t.Idle - o.Idle}
}

// All is the time of all cores.
func (t CPUTimes) All() time.Duration { return t.Busy + t.Other + t.Steal + t.Idle }

// MachineTimes reads what the cores did, from Linux's /proc/stat; false where there
// is none.
func MachineTimes() (CPUTimes, bool) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return CPUTimes{}, false
	}
	stat, err := fs.Stat()
	if err != nil {
		return CPUTimes{}, false
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	c := stat.CPUTotal
	return CPUTimes{
		Busy:  seconds(c.User + c.Nice + c.System),
		Other: seconds(c.IRQ + c.SoftIRQ),
		Steal: seconds(c.Steal),
		Idle:  seconds(c.Idle + c.Iowait),
	}, true
}
