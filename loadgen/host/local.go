package host

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"

	"github.com/prometheus/procfs"
)

// A LocalMeter is a [MetricsMeter] of a server on this machine. For how long its threads wait for cores is
// not among its metrics: it is read from its process, which is the one that listens on the port and began
// when the metrics say. If there is none that can be seen, as in another container, it is not known. It is
// safe for concurrent use.
type LocalMeter struct {
	MetricsMeter
	Port int // TCP

	mu      sync.Mutex
	began   float64 // of the process that was looked for
	process int     // 0 if there is none
}

// Usage implements [Meter].
func (m *LocalMeter) Usage(ctx context.Context) (Usage, error) {
	u, err := m.MetricsMeter.Usage(ctx)
	if err != nil {
		return u, err
	}
	if pid := m.pid(u.Began); pid != 0 {
		u.Waits = runQueueWaits(pid)
	}
	return u, nil
}

// pid returns the server's process, which is looked for when it has begun anew.
func (m *LocalMeter) pid(began float64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if began == 0 || began == m.began {
		return m.process
	}
	m.began, m.process = began, 0
	if fs, err := procfs.NewDefaultFS(); err == nil {
		m.process = listener(fs, m.Port, began)
	}
	return m.process
}

// beganApart is by how much two readings of when a process began may differ, in seconds.
const beganApart = 0.1

// listener returns the process that listens on a TCP port and began at a time, in seconds since 1970; 0 if
// there is none that can be seen, or it is this one.
func listener(fs procfs.FS, port int, began float64) (pid int) {
	sockets := listening(fs, port)
	processes, err := fs.AllProcs()
	if err != nil || len(sockets) == 0 {
		return 0
	}
	for _, p := range processes {
		stat, err := p.Stat()
		if err != nil || p.PID == os.Getpid() {
			continue
		}
		if at, err := stat.StartTime(); err != nil || math.Abs(at-began) > beganApart {
			continue
		}
		targets, err := p.FileDescriptorTargets()
		if err == nil && slices.ContainsFunc(targets, func(t string) bool { return sockets[t] }) {
			return p.PID
		}
	}
	return 0
}

// listening returns the sockets that listen on a TCP port, as the targets of descriptors.
func listening(fs procfs.FS, port int) map[string]bool {
	const listens = 10 // TCP_LISTEN of Linux
	sockets := map[string]bool{}
	for _, read := range []func() (procfs.NetTCP, error){fs.NetTCP, fs.NetTCP6} {
		lines, err := read()
		if err != nil {
			continue // without IPv6 there is no such file
		}
		for _, line := range lines {
			if line.St == listens && line.LocalPort == uint64(port) {
				sockets[fmt.Sprintf("socket:[%d]", line.Inode)] = true
			}
		}
	}
	return sockets
}
