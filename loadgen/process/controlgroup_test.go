package process

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeFiles writes files, by path, into a new directory.
func writeFiles(t *testing.T, files map[string]string) (directory string) {
	t.Helper()
	directory = t.TempDir()
	for path, text := range files {
		path = filepath.Join(directory, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return directory
}

func TestControlGroupOf(t *testing.T) {
	const (
		unified = "30 24 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
		split   = "33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
			"34 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"35 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		throttled = "usage_usec 5\nnr_periods 40\nnr_throttled 11\nthrottled_usec 1500000\n"
	)
	for _, c := range []struct {
		sentence       string
		groups, mounts string
		files          map[string]string
		is             ControlGroup
	}{
		{"a group of version 2 with a quota", "0::/a/b\n", unified,
			map[string]string{"a/b/cpu.stat": throttled, "a/b/cpu.max": "150000 100000\n"},
			ControlGroup{Path: "/sys/fs/cgroup/a/b", Quota: 1.5, Throttled: 1500 * time.Millisecond, Periods: 11}},
		{"the groups around it limit it, too", "0::/a/b\n", unified,
			map[string]string{"a/b/cpu.stat": throttled, "a/b/cpu.max": "max 100000\n", "a/cpu.stat": throttled, "a/cpu.max": "50000 100000\n", "cpu.stat": "usage_usec 5\n"},
			ControlGroup{Path: "/sys/fs/cgroup/a/b", Quota: 0.5, Throttled: 3 * time.Second, Periods: 22}},
		{"a container sees its own group as the root", "0::/\n", unified,
			map[string]string{"cpu.stat": throttled, "cpu.max": "200000 100000\n"},
			ControlGroup{Path: "/sys/fs/cgroup", Quota: 2, Throttled: 1500 * time.Millisecond, Periods: 11}},
		{"version 1 has another unit", "4:memory:/m\n2:cpu,cpuacct:/a\n0::/u\n", split,
			map[string]string{"cpu,cpuacct/a/cpu.stat": "nr_periods 40\nnr_throttled 11\nthrottled_time 1015210420\n",
				"cpu,cpuacct/a/cpu.cfs_quota_us": "10000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n", "unified/u/cpu.stat": "usage_usec 5\n"},
			ControlGroup{Path: "/sys/fs/cgroup/cpu,cpuacct/a /sys/fs/cgroup/unified/u", Quota: 0.1, Throttled: 1015210420, Periods: 11}},
		{"version 1 without a quota", "2:cpu:/\n", "34 30 0:31 / /sys/fs/cgroup rw - cgroup cgroup rw,cpu\n",
			map[string]string{"cpu.stat": "nr_throttled 0\nthrottled_time 0\n", "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"},
			ControlGroup{Path: "/sys/fs/cgroup"}},
		{"a mount that begins at the group", "2:cpu:/docker/abc\n", "34 30 0:31 /docker/abc /sys/fs/cgroup rw - cgroup cgroup rw,cpu\n",
			map[string]string{"cpu.stat": "nr_throttled 1\nthrottled_time 5\n"},
			ControlGroup{Path: "/sys/fs/cgroup", Throttled: 5, Periods: 1}},
		{"no control groups", "", unified, nil, ControlGroup{}},
		{"nonsense", "0::/\n", unified, map[string]string{"cpu.stat": "nr_throttled many\nthrottled_usec\n", "cpu.max": "0 0"}, ControlGroup{Path: "/sys/fs/cgroup"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			proc := writeFiles(t, map[string]string{"7/cgroup": c.groups, "7/mountinfo": c.mounts})
			files := map[string]string{}
			for path, text := range c.files {
				files["sys/fs/cgroup/"+path] = text
			}
			is := controlGroupIn(proc, writeFiles(t, files), 7)
			assert.InDelta(t, c.is.Quota, is.Quota, 1e-9)
			c.is.Quota, is.limited = is.Quota, nil // see TestQuotaIsSharedByWhoIsInItsGroup
			assert.Equal(t, c.is, is)
		})
	}
	assert.Zero(t, controlGroupIn("/nowhere", "/", 7))
	if _, err := os.Stat("/proc/self/cgroup"); err == nil {
		require.NotPanics(t, func() { ControlGroupOf(os.Getpid()) })
	}
}

func TestControlGroupSinceAnEarlierReading(t *testing.T) {
	before := ControlGroup{Path: "a", Throttled: time.Second, Quota: 0.5}
	for _, c := range []struct {
		sentence    string
		before, now ControlGroup
		since       time.Duration
		known       bool
	}{
		{"it was throttled", before, ControlGroup{Path: "a", Throttled: 3 * time.Second}, 2 * time.Second, true},
		{"it was not", before, before, 0, true},
		{"the process was moved, and what the other group did before is not known", before, ControlGroup{Path: "b", Throttled: 9 * time.Second, Quota: 1}, 0, false},
		{"it was moved to a group without a quota, and what its own did at last is not known", before, ControlGroup{Path: "b"}, 0, false},
		{"it was moved from a group without a quota to one that has one", ControlGroup{Path: "b"}, before, 0, false},
		{"it was moved between groups that have none", ControlGroup{Path: "a", Throttled: 5}, ControlGroup{Path: "b", Throttled: 9}, 0, true},
		{"it could not be read, and what it did is not known", before, ControlGroup{Path: "a", Throttled: time.Second, Quota: 0.5, Unread: true}, 0, false},
		{"it could not be read, and has no quota", ControlGroup{Path: "b"}, ControlGroup{Path: "b", Unread: true}, 0, true},
		{"it can be read again", ControlGroup{Path: "a", Throttled: time.Second, Quota: 0.5, Unread: true}, ControlGroup{Path: "a", Throttled: 3 * time.Second, Quota: 0.5}, 2 * time.Second, true},
		{"a group around it is gone", before, ControlGroup{Path: "a"}, 0, true},
	} {
		since, known := c.now.Since(c.before)
		assert.Equal(t, c.since, since, c.sentence)
		assert.Equal(t, c.known, known, c.sentence)
	}
}

func TestQuotaIsSharedByWhoIsInItsGroup(t *testing.T) {
	const unified = "30 24 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
	files := writeFiles(t, map[string]string{
		"sys/fs/cgroup/limited/cpu.max": "150000 100000\n", "sys/fs/cgroup/limited/a/cpu.max": "max 100000\n",
		"sys/fs/cgroup/limited/b/cpu.max": "50000 100000\n", "sys/fs/cgroup/free/cpu.max": "max 100000\n", "sys/fs/cgroup/other/cpu.max": "50000 100000\n",
	})
	of := func(group string) ControlGroup {
		if group == "" {
			return ControlGroup{} // it could not be read
		}
		return controlGroupIn(writeFiles(t, map[string]string{"7/cgroup": "0::" + group + "\n", "7/mountinfo": unified}), files, 7)
	}
	for _, c := range []struct {
		sentence, own, other string
		may                  bool
	}{
		{"the same group", "/limited", "/limited", true},
		{"groups within one that has a quota", "/limited/a", "/limited/b", true},
		{"a group within the other", "/limited", "/limited/a", true},
		{"groups that have a quota each", "/limited", "/other", false},
		{"the other has none", "/limited", "/free", false},
		{"neither has one", "/free", "/free", false},
		{"it is not known where the other is", "/limited", "", true},
		{"nor is there a quota", "/free", "", false},
	} {
		assert.Equal(t, c.may, of(c.own).MayShare(of(c.other)), c.sentence)
	}
}
