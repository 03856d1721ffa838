package tally

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Health measures the generator itself: how late it does things, and how many
// packets its machine drops, until the measuring ends. It is safe for concurrent use.
type Health struct {
	sendLag *metric.Stripes // how late frames were sent, in ms
	joinLag *metric.Stripes // how late joins and timeline events began, in ms
	readLag *metric.Stripes // how long packets waited in the process's sockets and queues, in ms
	// taken is what has been taken of them; see takeLag, which one goroutine at a time calls.
	taken      [3]metric.Trend
	dropped    *host.DropCounter // since the run began
	local      bool              // the server is on the same machine
	clockSteps atomic.Int64      // total of the steps of the wall clock, in ns
	// ended has what the machine had dropped when the measuring ended; nil until then.
	ended atomic.Pointer[host.Drops]
}

// NewHealth returns the health of a generator that has done nothing yet. local means that the
// server is on its machine.
func NewHealth(local bool) *Health {
	return &Health{
		sendLag: metric.NewStripes(), joinLag: metric.NewStripes(), readLag: metric.NewStripes(),
		dropped: host.NewDropCounter(), local: local,
	}
}

// RecordSend records how late a frame was sent.
func (h *Health) RecordSend(late time.Duration) { h.record(h.sendLag, late, 1) }

// RecordStart records how late a join or an event of the timeline began.
func (h *Health) RecordStart(late time.Duration) { h.record(h.joinLag, late, 1) }

// RecordRead records how long n packets waited in the process.
func (h *Health) RecordRead(d time.Duration, n uint64) { h.record(h.readLag, d, n) }

func (h *Health) record(lag *metric.Stripes, d time.Duration, n uint64) {
	if h.ended.Load() == nil {
		lag.RecordN(metric.InMilliseconds(d), n)
	}
}

// End ends the measuring. Mics still send and listeners still read while the results are summed up and the audio is
// scored, which takes all the cores there are.
func (h *Health) End() {
	drops := h.MachineDrops()
	h.ended.Store(&drops)
}

// Lag returns all three together: the metric generator_lag.
func (h *Health) Lag() *metric.Trend {
	all := h.sendLag.Snapshot()
	all.Merge(h.joinLag.Snapshot())
	all.Merge(h.readLag.Snapshot())
	return all
}

// TakeLag returns what lag there has been since the last call.
func (h *Health) TakeLag() *metric.Trend {
	all := &metric.Trend{}
	for i, s := range h.lags() {
		now := s.Take()
		h.taken[i].Merge(now)
		all.Merge(now)
	}
	return all
}

// lags are how late it sent, joined and read.
func (h *Health) lags() [3]*metric.Stripes {
	return [3]*metric.Stripes{h.sendLag, h.joinLag, h.readLag}
}

// Latest returns the 99th percentiles of how late it sent, joined and read; 0 where there
// was nothing.
func (h *Health) Latest() (p99 [3]time.Duration) {
	for i, s := range h.lags() {
		t := s.Snapshot()
		t.Merge(&h.taken[i])
		if t.Count() > 0 {
			p99[i] = time.Duration(t.Quantile(99) * float64(time.Millisecond))
		}
	}
	return p99
}

// MachineDrops returns how many packets the machine has dropped since the run began, of
// all processes: the kernel does not report them separately. Beside a server on the same
// machine, which uses no interface to reach us, those of sockets may as well be its own.
func (h *Health) MachineDrops() host.Drops {
	if ended := h.ended.Load(); ended != nil {
		return *ended
	}
	d, _ := h.dropped.Read()
	if h.local {
		d.Interfaces, d.Sockets = 0, 0
	}
	return d
}

// DropsKnown reports whether all of the machine's counters can be read now. Drops that are in one
// that can't be are known later.
func (h *Health) DropsKnown() bool {
	_, complete := h.dropped.Read()
	return complete
}

// RecordClockStep records a step of the wall clock. The latencies of the packets around
// it are wrong by as much.
func (h *Health) RecordClockStep(d time.Duration) { h.clockSteps.Add(int64(d.Abs())) }

// ClockStep returns the total of the wall clock's steps.
func (h *Health) ClockStep() time.Duration { return time.Duration(h.clockSteps.Load()) }
