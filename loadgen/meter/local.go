package meter

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/procfs"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// Local is [Metrics] of a server on this machine. For how long its threads wait for cores is
// not among its metrics: it is read from its process, which is the one that listens on the port and began
// when the metrics say. If there is none that can be seen, as in another container, it is not known. It is
// safe for concurrent use.
type Local struct {
	Metrics
	Port int // TCP

	mu      sync.Mutex
	began   float64 // of the process that was looked for
	process int     // 0 if there is none
}

// Usage implements [Meter].
func (m *Local) Usage(ctx context.Context) (process.Usage, error) {
	u, err := m.Metrics.Usage(ctx)
	if err != nil {
		return u, err
	}
	if pid := m.pid(u.Began); pid != 0 {
		u.Waits = process.RunQueueWaitsOf(pid)
	}
	return u, nil
}

// pid returns the server's process, which is looked for when it has begun anew.
func (m *Local) pid(began float64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if began == 0 || began == m.began {
		return m.process
	}
	m.began, m.process = began, listener(m.Port, began)
	return m.process
}

// beganApart is by how much two readings of when a process began may differ, in seconds.
const beganApart = 0.1

// listener returns the process that listens on a TCP port and began at a time, in seconds since 1970; 0 if
// there is none that can be seen, or it is this one.
func listener(port int, began float64) (pid int) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	sockets := listening(procfs.DefaultMountPoint, port)
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

// listening returns the sockets that listen on a TCP port, as the targets of descriptors, by the proc
// directory's net/tcp and net/tcp6 (proc_pid_net(5)).
func listening(proc string, port int) map[string]bool {
	const listens = "0A" // TCP_LISTEN
	sockets := map[string]bool{}
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		text, err := os.ReadFile(filepath.Join(proc, file))
		if err != nil {
			continue // without IPv6 there is no such file
		}
		for line := range strings.Lines(string(text)) {
			// "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …"
			if f := strings.Fields(line); len(f) > 9 && f[3] == listens && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	return sockets
}
