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
	sendLag       *metric.Stripes // how late frames were sent, in ms
	joinLag       *metric.Stripes // how late joins and timeline events began, in ms
	readLag       *metric.Stripes // how long packets waited in the process's sockets and queues, in ms
	backlogBefore uint64          // the machine's drops before the run
	backlogKnown  bool            // the machine reports its drops
	clockSteps    atomic.Int64    // total of the steps of the wall clock, in ns
}

func newHealth() *generatorHealth {
	h := &generatorHealth{sendLag: metric.NewStripes(), joinLag: metric.NewStripes(), readLag: metric.NewStripes()}
	h.backlogBefore, h.backlogKnown = host.BacklogDrops()
	return h
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

// machineDrops returns how many packets the machine's receive backlog has dropped since
// the run began, of all processes: the kernel does not report them separately.
func (h *generatorHealth) machineDrops() uint64 {
	now, ok := host.BacklogDrops()
	if !ok || !h.backlogKnown {
		return 0
	}
	return now - h.backlogBefore
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// recordClockStep records a step of the wall clock. The latencies of the packets around
// it are wrong by as much.
func (h *generatorHealth) recordClockStep(d time.Duration) { h.clockSteps.Add(int64(d.Abs())) }
