package meter

import (
	"context"
	"maps"
	"os"
	"time"

	"github.com/prometheus/procfs"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// A Meter measures the process of the server under test. It is safe for concurrent use.
type Meter interface {
	Usage(ctx context.Context) (process.Usage, error)
}

// A Grouped is a [Meter] that knows the control groups of the server's processes. It is safe for
// concurrent use.
type Grouped interface {
	Meter
	ControlGroups() []process.ControlGroup
}

// A Process measures a server of this machine, from /proc, by the number of its process.
// The server may consist of several: descendants of that one, and those of its service or
// container, count too, if they are not this process's. Memory that they share counts for each
// of them.
type Process struct{ PID int }

// ControlGroups implements [Grouped].
func (m Process) ControlGroups() []process.ControlGroup {
	return []process.ControlGroup{process.ControlGroupOf(m.PID)}
}

// Usage implements Meter.
func (m Process) Usage(context.Context) (process.Usage, error) {
	u, err := process.UsageOf(m.PID)
	if err != nil {
		return process.Usage{}, err
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return u, nil // it was there a moment ago
	}
	for _, pid := range members(fs, m.PID, os.Getpid()) {
		// What children used that have ended, and that were waited for, is their parent's.
		if p, err := fs.Proc(pid); err == nil {
			if stat, err := p.Stat(); err == nil {
				u.CPU += time.Duration(stat.CUTime+stat.CSTime) * time.Second / userHZ
			}
		}
		if pid == m.PID {
			continue
		}
		member, err := process.UsageOf(pid)
		if err != nil {
			continue // it has ended
		}
		u.CPU += member.CPU
		u.Memory += member.Memory
		if u.Waits != nil {
			maps.Copy(u.Waits, member.Waits)
		}
	}
	return u, nil
}

// userHZ is in what parts of a second /proc counts.
const userHZ = 100
