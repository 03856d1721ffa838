package meter

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
)

// Details are what can be asked of a server beyond its [process.Usage], to know what ran out. It takes
// longer, so that it is asked at the beginning and the end of what is measured.
type Details struct {
	// Threads is the CPU time that each thread has used, by its number; nil if unknown.
	Threads map[int]time.Duration
	// Drops is how many packets the server dropped or its sockets did, by where; nil if
	// unknown.
	Drops map[string]uint64
}

// A Detailed is a [Meter] that knows details. It is safe for concurrent use.
type Detailed interface {
	Meter
	Details(ctx context.Context) (Details, error)
}

// DropsSince is how many packets were dropped since earlier details, by where; places without
// any are left out.
func (d Details) DropsSince(before Details) map[string]uint64 {
	since := map[string]uint64{}
	for where, n := range d.Drops {
		if was := before.Drops[where]; n > was {
			since[where] = n - was
		}
	}
	return since
}

// Busiest is the thread that has used the most CPU since earlier details, and how much; 0 if
// that is not known.
func (d Details) Busiest(before Details) (thread int, used time.Duration) {
	for t, cpu := range d.Threads {
		if was, lived := before.Threads[t]; lived && cpu-was > used {
			thread, used = t, cpu-was
		}
	}
	return thread, used
}

// atSockets is where full receive buffers drop packets.
const atSockets = "full receive buffers of its sockets"

// Details implements [Detailed]: the drops are those of the server's UDP sockets.
func (m Process) Details(context.Context) (d Details, err error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return d, fmt.Errorf("read /proc: %w", err)
	}
	d.Threads = map[int]time.Duration{}
	sockets := map[string]bool{}
	for _, pid := range members(fs, m.PID, os.Getpid()) {
		maps.Copy(d.Threads, threadsCPU(fs, pid))
		p, err := fs.Proc(pid)
		if err != nil {
			continue // it has ended
		}
		targets, err := p.FileDescriptorTargets()
		if err != nil {
			continue // it is somebody else's
		}
		for _, target := range targets {
			sockets[target] = true
		}
	}
	if len(d.Threads) == 0 {
		d.Threads = nil
	}
	if len(sockets) > 0 {
		d.Drops = map[string]uint64{atSockets: socketDrops(m.PID, sockets)}
	}
	return d, nil
}

// threadsCPU is the CPU time of each thread of a process.
func threadsCPU(fs procfs.FS, pid int) map[int]time.Duration {
	used := map[int]time.Duration{}
	threads, err := fs.AllThreads(pid)
	if err != nil {
		return used // it has ended
	}
	for _, t := range threads {
		if s, err := t.Schedstat(); err == nil {
			used[t.PID] = time.Duration(s.RunningNanoseconds)
		}
	}
	return used
}

// socketDrops sums up what UDP sockets have dropped, by the targets of their descriptors, in
// the network namespace of a process.
func socketDrops(pid int, sockets map[string]bool) (sum uint64) {
	fs, err := procfs.NewFS(filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(pid)))
	if err != nil {
		return 0
	}
	for _, read := range []func() (procfs.NetUDP, error){fs.NetUDP, fs.NetUDP6} {
		lines, err := read()
		if err != nil {
			continue // without IPv6 there is no such file
		}
		for _, line := range lines {
			if line.Drops != nil && sockets[fmt.Sprintf("socket:[%d]", line.Inode)] {
				sum += *line.Drops
			}
		}
	}
	return sum
}
