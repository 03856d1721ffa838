package host

import (
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// Drops are how many packets a machine has dropped since it started, of all its processes,
// by where. What is not known is 0.
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

// Sub is what was dropped since an earlier reading. A counter that was reset counts from
// there.
func (d Drops) Sub(o Drops) Drops {
	less := func(a, b uint64) uint64 {
		if a < b {
			return a
		}
		return a - b
	}
	return Drops{less(d.Backlog, o.Backlog), less(d.Conntrack, o.Conntrack), less(d.Interfaces, o.Interfaces), less(d.Sockets, o.Sockets)}
}

// Add is what two machines dropped.
func (d Drops) Add(o Drops) Drops {
	return Drops{d.Backlog + o.Backlog, d.Conntrack + o.Conntrack, d.Interfaces + o.Interfaces, d.Sockets + o.Sockets}
}

// Total is all of them.
func (d Drops) Total() uint64 { return d.Backlog + d.Conntrack + d.Interfaces + d.Sockets }

// MachineDrops reads what the machine has dropped.
func MachineDrops() Drops { return dropsIn(procfs.DefaultMountPoint) }

// dropsIn reads it from a directory like /proc.
func dropsIn(proc string) (d Drops) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return d
	}
	if cpus, err := fs.NetSoftnetStat(); err == nil {
		for _, cpu := range cpus {
			d.Backlog += uint64(cpu.Dropped)
		}
	}
	if cpus, err := fs.ConntrackStat(); err == nil {
		for _, cpu := range cpus {
			d.Conntrack += cpu.Drop + cpu.InsertFailed
		}
	}
	if interfaces, err := fs.NetDev(); err == nil {
		for _, i := range interfaces {
			if i.Name != "lo" {
				d.Interfaces += i.RxDropped + i.TxDropped // rx_missed_errors is in the first
			}
		}
	}
	// procfs's own reader does not know MemErrors.
	if text, err := os.ReadFile(proc + "/net/snmp"); err == nil {
		d.Sockets = udpErrors(string(text))
	}
	return d
}

// udpErrors sums up SndbufErrors and MemErrors of UDP.
func udpErrors(text string) (total uint64) {
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
					total += n
				}
			}
		}
	}
	return total
}
