package loadgen

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// health is how well the generator itself did: what it did late, and what it
// lost of what had reached its machine. It is safe for concurrent use.
type generatorHealth struct {
	sendLag       *metric.Stripes // how late frames were sent, in ms
	joinLag       *metric.Stripes // how late joins and acts of the timeline began
	readLag       *metric.Stripes // how long packets lay in the process's sockets and queues
	backlogBefore uint64          // the machine's drops before the run
	backlogKnown  bool            // the machine tells its drops
	clockSteps    atomic.Int64    // ns by which the wall clock was stepped in all
}

func newHealth() *generatorHealth {
	h := &generatorHealth{sendLag: metric.NewStripes(), joinLag: metric.NewStripes(), readLag: metric.NewStripes()}
	h.backlogBefore, h.backlogKnown = host.BacklogDrops()
	return h
}

func (h *generatorHealth) recordSend(late time.Duration)  { h.sendLag.Record(ms(late)) }
func (h *generatorHealth) recordStart(late time.Duration) { h.joinLag.Record(ms(late)) }

// waited enters how long n packets lay in the process.
func (h *generatorHealth) recordRead(d time.Duration, n uint64) { h.readLag.RecordN(ms(d), n) }

// lag is all of it together: the metric generator_lag.
func (h *generatorHealth) lag() *metric.Trend {
	all := h.sendLag.Snapshot()
	all.Merge(h.joinLag.Snapshot())
	all.Merge(h.readLag.Snapshot())
	return all
}

// p99 is the 99th percentile of a part of the lag; 0 if there is none of it.
func p99(s *metric.Stripes) time.Duration {
	t := s.Snapshot()
	if t.Count() == 0 {
		return 0
	}
	return time.Duration(t.Quantile(99) * float64(time.Millisecond))
}

// machineDrops is how many packets the machine's receive backlog has dropped
// since the run began: everybody's, since the kernel does not say whose.
func (h *generatorHealth) machineDrops() uint64 {
	now, ok := host.BacklogDrops()
	if !ok || !h.backlogKnown {
		return 0
	}
	return now - h.backlogBefore
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// stepped enters a step of the wall clock, which makes the latencies of the
// packets around it wrong by as much.
func (h *generatorHealth) recordClockStep(d time.Duration) { h.clockSteps.Add(int64(d.Abs())) }
