package loadgen

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// generatorHealth measures the generator itself: how late it does things, and how many
// packets its machine drops. It is safe for concurrent use.
type generatorHealth struct {
	sendLag     *metric.Stripes // how late frames were sent, in ms
	joinLag     *metric.Stripes // how late joins and timeline events began, in ms
	readLag     *metric.Stripes // how long packets waited in the process's sockets and queues, in ms
	dropsBefore host.Drops      // the machine's before the run
	local       bool            // the server is on the same machine
	clockSteps  atomic.Int64    // total of the steps of the wall clock, in ns
}

func newHealth(local bool) *generatorHealth {
	return &generatorHealth{
		sendLag: metric.NewStripes(), joinLag: metric.NewStripes(), readLag: metric.NewStripes(),
		dropsBefore: host.MachineDrops(), local: local,
	}
}

func (h *generatorHealth) recordSend(late time.Duration)  { h.sendLag.Record(ms(late)) }
func (h *generatorHealth) recordStart(late time.Duration) { h.joinLag.Record(ms(late)) }

// recordRead records how long n packets waited in the process.
func (h *generatorHealth) recordRead(d time.Duration, n uint64) { h.readLag.RecordN(ms(d), n) }

// lag returns all three together: the metric generator_lag.
func (h *generatorHealth) lag() *metric.Trend {
	all := h.sendLag.Snapshot()
	all.Merge(h.joinLag.Snapshot())
	all.Merge(h.readLag.Snapshot())
	return all
}

// p99 returns the 99th percentile, or 0 if nothing was recorded.
func p99(s *metric.Stripes) time.Duration {
	t := s.Snapshot()
	if t.Count() == 0 {
		return 0
	}
	return time.Duration(t.Quantile(99) * float64(time.Millisecond))
}

// machineDrops returns how many packets the machine has dropped since the run began, of
// all processes: the kernel does not report them separately. Beside a server on the same
// machine, which uses no interface to reach us, those of sockets may as well be its own.
func (h *generatorHealth) machineDrops() host.Drops {
	d := host.MachineDrops().Sub(h.dropsBefore)
	if h.local {
		d.Interfaces, d.Sockets = 0, 0
	}
	return d
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// recordClockStep records a step of the wall clock. The latencies of the packets around
// it are wrong by as much.
func (h *generatorHealth) recordClockStep(d time.Duration) { h.clockSteps.Add(int64(d.Abs())) }
