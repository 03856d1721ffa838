package host

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
}

// Since is for how long the group's threads were kept from running since an earlier
// reading. It is not known of a process that has been moved from or to a group with a quota:
// each group tells of its own threads only.
func (g ControlGroup) Since(before ControlGroup) (took time.Duration, known bool) {
	if g.Path != before.Path {
		return 0, g.Quota == 0 && before.Quota == 0
	}
	return max(0, g.Throttled-before.Throttled), true
}

// ControlGroupOf reads the control group of a process.
func ControlGroupOf(pid int) ControlGroup { return controlGroupIn(procfs.DefaultMountPoint, "/", pid) }

// controlGroupIn reads it from a directory like /proc, with the mounted directories under
// root.
func controlGroupIn(proc, root string, pid int) (g ControlGroup) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return g
	}
	process, err := fs.Proc(pid)
	if err != nil {
		return g
	}
	groups, err := process.Cgroups()
	if err != nil {
		return g
	}
	mounts, err := process.MountInfo()
	if err != nil {
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
			g.climb(filepath.Join(root, m.MountPoint), below)
			break
		}
	}
	g.Path = strings.TrimSpace(g.Path)
	return g
}

// climb reads a group and those around it, up to the one that is mounted.
func (g *ControlGroup) climb(mounted, below string) {
	for ; ; below = path.Dir(below) {
		g.read(filepath.Join(mounted, below))
		if below == "/" || below == "." || below == "" {
			return
		}
	}
}

// read adds what one group does.
func (g *ControlGroup) read(directory string) {
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
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
		return
	}
	if cores := q / p; g.Quota == 0 || cores < g.Quota {
		g.Quota = cores
	}
}
