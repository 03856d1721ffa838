package process

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// A ControlGroup is what the Linux control groups that a process is in do to its use of
// the CPU: its own and those around it, of version 2 or 1, as far as they can be seen.
type ControlGroup struct {
	// Path names the group of the process. It is empty if none can be found.
	Path string
	// Quota is how many cores the group may use; 0 is as many as there are.
	Quota float64
	// Throttled is for how long the group's threads were kept from running since they had
	// used the quota up, since the group was made, summed over cores and groups, and
	// Periods how often.
	Throttled time.Duration
	Periods   uint64
	// Unread means that it could not be read this time, for want of files or memory: the rest is not all.
	Unread bool
	// limited names those of the groups that have a quota.
	limited []string
}

// MayShare reports whether a quota of the group may be another process's, too: both are in a group
// that has it, or it is not known in which one the other is.
func (g ControlGroup) MayShare(other ControlGroup) bool {
	return g.Quota > 0 && (other.Path == "" || slices.ContainsFunc(g.limited, func(group string) bool {
		return slices.Contains(other.limited, group)
	}))
}

// Since is for how long the group's threads were kept from running since an earlier
// reading. It is not known of a process that has been moved from or to a group with a quota:
// each group tells of its own threads only. Nor is it if it could not be read.
func (g ControlGroup) Since(before ControlGroup) (took time.Duration, known bool) {
	if g.Path != before.Path || g.Unread {
		return 0, g.Quota == 0 && before.Quota == 0
	}
	return max(0, g.Throttled-before.Throttled), true
}

// ControlGroupOf reads the control group of a process.
func ControlGroupOf(pid int) ControlGroup { return controlGroupIn(procfs.DefaultMountPoint, "/", pid) }

// controlGroupIn reads it from a directory like /proc, with the mounted directories under
// root.
func controlGroupIn(proc, root string, pid int) (g ControlGroup) {
	groups, mounts, err := groupsOf(proc, pid)
	if err != nil {
		g.Unread = atLimit(err)
		return g
	}
	for _, of := range groups {
		for _, m := range mounts {
			v2 := of.HierarchyID == 0 && m.FSType == "cgroup2"
			_, cpu := m.SuperOptions["cpu"]
			if !v2 && !(m.FSType == "cgroup" && cpu && slices.Contains(of.Controllers, "cpu")) {
				continue
			}
			below, within := strings.CutPrefix(of.Path, strings.TrimSuffix(m.Root, "/"))
			if !within {
				continue
			}
			g.Path += path.Join(m.MountPoint, below) + " "
			g.climb(filepath.Join(root, m.MountPoint), m.Root, below)
			break
		}
	}
	g.Path = strings.TrimSpace(g.Path)
	return g
}

// groupsOf reads the groups of a process, and what is mounted for it.
func groupsOf(proc string, pid int) ([]procfs.Cgroup, []*procfs.MountInfo, error) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", proc, err)
	}
	process, err := fs.Proc(pid)
	if err != nil {
		return nil, nil, fmt.Errorf("read of process %d: %w", pid, err)
	}
	groups, err := process.Cgroups()
	if err != nil {
		return nil, nil, fmt.Errorf("read the control groups of process %d: %w", pid, err)
	}
	mounts, err := process.MountInfo()
	if err != nil {
		return nil, nil, fmt.Errorf("read the mounts of process %d: %w", pid, err)
	}
	return groups, mounts, nil
}

// atLimit reports whether something could not be read since this process or its machine is at a limit.
func atLimit(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// climb reads a group and those around it, up to the one that is mounted, which is called top.
func (g *ControlGroup) climb(mounted, top, below string) {
	for ; ; below = path.Dir(below) {
		if g.read(filepath.Join(mounted, below)) {
			g.limited = append(g.limited, path.Join(top, below))
		}
		if below == "/" || below == "." || below == "" {
			return
		}
	}
}

// read adds what one group does, and reports whether it has a quota.
func (g *ControlGroup) read(directory string) (limited bool) {
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			g.Unread = g.Unread || atLimit(err)
			return "" // a group that does not limit the CPU has none
		}
		return string(data)
	}
	for line := range strings.Lines(text("cpu.stat")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "nr_throttled":
			g.Periods += uint64(n)
		case "throttled_usec": // version 2
			g.Throttled += time.Duration(n) * time.Microsecond
		case "throttled_time": // version 1
			g.Throttled += time.Duration(n)
		}
	}
	quota, period, v2 := strings.Cut(strings.TrimSpace(text("cpu.max")), " ")
	if !v2 {
		quota, period = strings.TrimSpace(text("cpu.cfs_quota_us")), strings.TrimSpace(text("cpu.cfs_period_us"))
	}
	// Without a quota it is max, or -1.
	q, err := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || q <= 0 || p <= 0 {
		return false
	}
	if cores := q / p; g.Quota == 0 || cores < g.Quota {
		g.Quota = cores
	}
	return true
}
