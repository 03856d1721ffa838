package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Drops are how many packets a machine has dropped since it started, of all its processes,
// by where. What is not known is 0.
type Drops struct {
	// Backlog is those of the receive backlog (the second column of Linux's
	// /proc/net/softnet_stat), and Conntrack those of a full table of connections
	// (/proc/net/stat/nf_conntrack).
	Backlog, Conntrack uint64
	// Interfaces is what its network interfaces dropped, but for the loopback one, and
	// Sockets what its UDP sockets could not send for want of a buffer, or receive for
	// want of memory (/proc/net/snmp). Those that a full receive buffer drops are the
	// sockets' own to tell, since another process's are no concern of ours.
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

// Total is all of them.
func (d Drops) Total() uint64 { return d.Backlog + d.Conntrack + d.Interfaces + d.Sockets }

// MachineDrops reads what the machine has dropped.
func MachineDrops() Drops {
	const proc = "/proc/net/"
	return Drops{
		Backlog:    sumColumn(read(proc+"softnet_stat"), 1, 0),
		Conntrack:  conntrackDrops(read(proc + "stat/nf_conntrack")),
		Interfaces: interfaceDrops("/sys/class/net"),
		Sockets:    udpErrors(read(proc + "snmp")),
	}
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// sumColumn sums a column of hexadecimal numbers, of the lines after so many.
func sumColumn(text string, column, skip int) (total uint64) {
	for line := range strings.Lines(text) {
		if skip--; skip >= 0 {
			continue
		}
		if fields := strings.Fields(line); len(fields) > column {
			n, err := strconv.ParseUint(fields[column], 16, 64)
			if err != nil {
				return 0
			}
			total += n
		}
	}
	return total
}

// conntrackDrops sums up drop and insert_failed: packets for which there was no room in
// the table.
func conntrackDrops(text string) (total uint64) {
	head, _, _ := strings.Cut(text, "\n")
	for i, name := range strings.Fields(head) {
		if name == "drop" || name == "insert_failed" {
			total += sumColumn(text, i, 1)
		}
	}
	return total
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

// interfaceDrops sums up what the interfaces that have a directory have dropped.
func interfaceDrops(directory string) (total uint64) {
	for _, counter := range []string{"rx_dropped", "rx_missed_errors", "tx_dropped"} {
		paths, err := filepath.Glob(filepath.Join(directory, "*", "statistics", counter))
		if err != nil {
			continue
		}
		for _, path := range paths {
			if filepath.Base(filepath.Dir(filepath.Dir(path))) == "lo" {
				continue
			}
			if n, err := strconv.ParseUint(strings.TrimSpace(read(path)), 10, 64); err == nil {
				total += n
			}
		}
	}
	return total
}
