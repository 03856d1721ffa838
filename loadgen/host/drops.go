package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/procfs"
)

// Drops are how many packets a machine has dropped of all its processes, by where. What is not
// known is 0.
type Drops struct {
	// Backlog is those of the receive backlog (the second column of Linux's
	// /proc/net/softnet_stat), and Conntrack those of a full table of connections
	// (/proc/net/stat/nf_conntrack), which drops packets of the loopback interface, too.
	Backlog, Conntrack uint64
	// Interfaces is what its network interfaces dropped, but for the loopback one
	// (/proc/net/dev), and Sockets what its UDP sockets could not send for want of a
	// buffer, or receive for want of memory (/proc/net/snmp). Those that a full receive
	// buffer drops are the sockets' own to tell, since another process's are no concern of
	// ours.
	Interfaces, Sockets uint64
}

// Add is what two machines dropped.
func (d Drops) Add(o Drops) Drops {
	return Drops{d.Backlog + o.Backlog, d.Conntrack + o.Conntrack, d.Interfaces + o.Interfaces, d.Sockets + o.Sockets}
}

// Total is all of them.
func (d Drops) Total() uint64 { return d.Backlog + d.Conntrack + d.Interfaces + d.Sockets }

// A DropCounter adds up what the machine drops from when it was made. A counter that begins anew
// counts from there, one that is gone keeps what it had, and what can't be read is asked for again.
// It is safe for concurrent use.
type DropCounter struct {
	proc string // a directory like /proc

	mu   sync.Mutex
	last [dropPlaces]map[string]uint64 // by the counter's name; nil before the first reading
	sum  [dropPlaces]uint64
}

// The places of [Drops].
const (
	backlog = iota
	conntrack
	interfaces
	udpSockets
	dropPlaces
)

// NewDropCounter begins to count.
func NewDropCounter() *DropCounter { return newDropCounter(procfs.DefaultMountPoint) }

func newDropCounter(proc string) *DropCounter {
	c := &DropCounter{proc: proc}
	c.Read()
	return c
}

// Read returns what has been dropped so far. It is complete if all was read that was read once
// before; else some of what was dropped at last is missing yet.
func (c *DropCounter) Read() (d Drops, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	complete = true
	for place, now := range countersIn(c.proc) {
		switch last := c.last[place]; {
		case now == nil:
			complete = complete && last == nil
		case last == nil:
			c.last[place] = now // what was dropped before is not known
		default:
			for name, n := range now {
				if was := last[name]; n >= was {
					c.sum[place] += n - was
				} else {
					c.sum[place] += n
				}
				last[name] = n
			}
		}
	}
	return Drops{c.sum[backlog], c.sum[conntrack], c.sum[interfaces], c.sum[udpSockets]}, complete
}

// countersIn reads a machine's counters from a directory like /proc, by place and name; nil where
// they can't be read.
func countersIn(proc string) (places [dropPlaces]map[string]uint64) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return places
	}
	if cpus, err := fs.NetSoftnetStat(); err == nil {
		places[backlog] = map[string]uint64{}
		for _, cpu := range cpus {
			places[backlog][strconv.FormatUint(uint64(cpu.Index), 10)] = uint64(cpu.Dropped)
		}
	}
	if cpus, err := fs.ConntrackStat(); err == nil {
		places[conntrack] = map[string]uint64{}
		for i, cpu := range cpus {
			places[conntrack][strconv.Itoa(i)] = cpu.Drop + cpu.InsertFailed
		}
	}
	if all, err := fs.NetDev(); err == nil {
		places[interfaces] = map[string]uint64{}
		for _, i := range all {
			if i.Name != "lo" {
				places[interfaces][i.Name] = i.RxDropped + i.TxDropped // rx_missed_errors is in the first
			}
		}
	}
	// procfs's own reader does not know MemErrors.
	if text, err := os.ReadFile(filepath.Join(proc, "net", "snmp")); err == nil {
		places[udpSockets] = udpErrors(string(text))
	}
	return places
}

// udpErrors reads SndbufErrors and MemErrors of UDP.
func udpErrors(text string) map[string]uint64 {
	counters := map[string]uint64{}
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != "Udp:":
		case names == nil:
			names = fields
		default:
			for i, name := range names[:min(len(names), len(fields))] {
				if name != "SndbufErrors" && name != "MemErrors" {
					continue
				}
				if n, err := strconv.ParseUint(fields[i], 10, 64); err == nil {
					counters[name] = n
				}
			}
		}
	}
	return counters
}
