package meter

import (
	"path"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// members returns the processes that a server consists of: the one with a number, its
// descendants, and all that run in its control group if that is a service's or a container's
// and not this process's, too. Processes that can't be looked at are left out.
func members(fs procfs.FS, pid, own int) []int {
	all, err := fs.AllProcs()
	if err != nil {
		return []int{pid}
	}
	children := map[int][]int{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil {
			children[stat.PPID] = append(children[stat.PPID], p.PID)
		}
	}
	found := []int{pid}
	for i := 0; i < len(found); i++ { // it grows
		for _, child := range children[found[i]] {
			if child != own && !slices.Contains(found, child) {
				found = append(found, child)
			}
		}
	}
	group := groupOf(fs, pid)
	if !enclosed(group) || group == groupOf(fs, own) {
		return found
	}
	for _, p := range all {
		if !slices.Contains(found, p.PID) && groupOf(fs, p.PID) == group {
			found = append(found, p.PID)
		}
	}
	return found
}

// groupOf is the control group of a process, or "".
func groupOf(fs procfs.FS, pid int) string {
	p, err := fs.Proc(pid)
	if err != nil {
		return ""
	}
	groups, err := p.Cgroups()
	if err != nil || len(groups) == 0 {
		return ""
	}
	for _, g := range groups {
		if g.HierarchyID == 0 && g.Path != "/" { // version 2
			return g.Path
		}
	}
	return groups[0].Path
}

// enclosed reports whether a control group is that of one service or container, and not that
// of a session, in which anything may run.
func enclosed(group string) bool {
	name, parent := path.Base(group), path.Base(path.Dir(group))
	if strings.HasSuffix(name, ".service") {
		return true
	}
	for _, runtime := range []string{"docker", "libpod", "crio", "cri-containerd", "containerd", "lxc"} {
		if parent == runtime || strings.HasPrefix(name, runtime+"-") {
			return true
		}
	}
	return strings.Contains(group, "/kubepods")
}
