package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// A Link is what went over a network interface of this machine since it started, but for the
// loopback one.
type Link struct {
	Received, Sent uint64 // bytes
	// Speed is how many bits a second it can carry each way; 0 if that is unknown, as of
	// most virtual ones.
	Speed uint64
}

// Links reads the machine's network interfaces, by their names.
func Links() map[string]Link { return linksIn(procfs.DefaultMountPoint, "/sys/class/net") }

// linksIn reads them from directories like /proc and /sys/class/net.
func linksIn(proc, sys string) map[string]Link {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil
	}
	interfaces, err := fs.NetDev()
	if err != nil {
		return nil
	}
	links := map[string]Link{}
	for name, i := range interfaces {
		if name == "lo" {
			continue
		}
		l := Link{Received: i.RxBytes, Sent: i.TxBytes}
		if text, err := os.ReadFile(filepath.Join(sys, name, "speed")); err == nil {
			if megabits, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && megabits > 0 {
				l.Speed = uint64(megabits) * 1_000_000
			}
		}
		links[name] = l
	}
	return links
}

// A LinkLoad is how much of a network interface was used, the busier way.
type LinkLoad struct {
	Name        string
	Used, Speed float64 // bits a second
}

// BusiestLink is the interface of which the largest share was used between two readings; false
// if the speed of none is known.
func BusiestLink(before, after map[string]Link, elapsed time.Duration) (busiest LinkLoad, ok bool) {
	if elapsed <= 0 {
		return busiest, false
	}
	for name, now := range after {
		was, there := before[name]
		if !there || now.Speed == 0 || now.Received < was.Received || now.Sent < was.Sent {
			continue
		}
		l := LinkLoad{name, 8 * float64(max(now.Received-was.Received, now.Sent-was.Sent)) / elapsed.Seconds(), float64(now.Speed)}
		if !ok || l.Used/l.Speed > busiest.Used/busiest.Speed {
			busiest, ok = l, true
		}
	}
	return busiest, ok
}

// MachineMemory is how much of all memory of this machine could still be used without swapping, in bytes; 0
// if that is unknown.
func MachineMemory() (available, all uint64) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, 0
	}
	m, err := fs.Meminfo()
	if err != nil || m.MemAvailableBytes == nil || m.MemTotalBytes == nil {
		return 0, 0
	}
	return *m.MemAvailableBytes, *m.MemTotalBytes
}
