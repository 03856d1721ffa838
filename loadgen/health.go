package loadgen

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// health is how well the generator itself did: what it did late, and what it
// lost of what had reached its machine. It is safe for concurrent use.
type health struct {
	sends   *metric.Stripes // how late frames were sent, in ms
	joins   *metric.Stripes // how late joins and acts of the timeline began
	waits   *metric.Stripes // how long packets lay in the process's sockets and queues
	backlog uint64          // the machine's drops before the run
	known   bool            // the machine tells its drops
	steps   atomic.Int64    // ns by which the wall clock was stepped in all
}

func newHealth() *health {
	h := &health{sends: metric.NewStripes(), joins: metric.NewStripes(), waits: metric.NewStripes()}
	h.backlog, h.known = host.BacklogDrops()
	return h
}

func (h *health) sent(late time.Duration)  { h.sends.Record(ms(late)) }
func (h *health) began(late time.Duration) { h.joins.Record(ms(late)) }

// waited enters how long n packets lay in the process.
func (h *health) waited(d time.Duration, n uint64) { h.waits.RecordN(ms(d), n) }

// lag is all of it together: the metric generator_lag.
func (h *health) lag() *metric.Trend {
	all := h.sends.Snapshot()
	all.Merge(h.joins.Snapshot())
	all.Merge(h.waits.Snapshot())
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
func (h *health) machineDrops() uint64 {
	now, ok := host.BacklogDrops()
	if !ok || !h.known {
		return 0
	}
	return now - h.backlog
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// stepped enters a step of the wall clock, which makes the latencies of the
// packets around it wrong by as much.
func (h *health) stepped(d time.Duration) { h.steps.Add(int64(d.Abs())) }
