package loadgen

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// generatorHealth measures the generator itself: how late it does things, and how many
// packets its machine drops, until the measuring ends. It is safe for concurrent use.
type generatorHealth struct {
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

func newHealth(local bool) *generatorHealth {
	return &generatorHealth{
		sendLag: metric.NewStripes(), joinLag: metric.NewStripes(), readLag: metric.NewStripes(),
		dropped: host.NewDropCounter(), local: local,
	}
}

func (h *generatorHealth) recordSend(late time.Duration)  { h.record(h.sendLag, late, 1) }
func (h *generatorHealth) recordStart(late time.Duration) { h.record(h.joinLag, late, 1) }

// recordRead records how long n packets waited in the process.
func (h *generatorHealth) recordRead(d time.Duration, n uint64) { h.record(h.readLag, d, n) }

func (h *generatorHealth) record(lag *metric.Stripes, d time.Duration, n uint64) {
	if h.ended.Load() == nil {
		lag.RecordN(ms(d), n)
	}
}

// end ends the measuring. Mics still send and listeners still read while the results are summed up and the audio is
// scored, which takes all the cores there are.
func (h *generatorHealth) end() {
	drops := h.machineDrops()
	h.ended.Store(&drops)
}

// lag returns all three together: the metric generator_lag.
func (h *generatorHealth) lag() *metric.Trend {
	all := h.sendLag.Snapshot()
	all.Merge(h.joinLag.Snapshot())
	all.Merge(h.readLag.Snapshot())
	return all
}

// takeLag returns what lag there has been since the last call.
func (h *generatorHealth) takeLag() *metric.Trend {
	all := &metric.Trend{}
	for i, s := range h.lags() {
		now := s.Take()
		h.taken[i].Merge(now)
		all.Merge(now)
	}
	return all
}

// lags are how late it sent, joined and read.
func (h *generatorHealth) lags() [3]*metric.Stripes {
	return [3]*metric.Stripes{h.sendLag, h.joinLag, h.readLag}
}

// latest returns the 99th percentiles of how late it sent, joined and read; 0 where there
// was nothing.
func (h *generatorHealth) latest() (p99 [3]time.Duration) {
	for i, s := range h.lags() {
		t := s.Snapshot()
		t.Merge(&h.taken[i])
		if t.Count() > 0 {
			p99[i] = time.Duration(t.Quantile(99) * float64(time.Millisecond))
		}
	}
	return p99
}

// machineDrops returns how many packets the machine has dropped since the run began, of
// all processes: the kernel does not report them separately. Beside a server on the same
// machine, which uses no interface to reach us, those of sockets may as well be its own.
func (h *generatorHealth) machineDrops() host.Drops {
	if ended := h.ended.Load(); ended != nil {
		return *ended
	}
	d, _ := h.dropped.Read()
	if h.local {
		d.Interfaces, d.Sockets = 0, 0
	}
	return d
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// recordClockStep records a step of the wall clock. The latencies of the packets around
// it are wrong by as much.
func (h *generatorHealth) recordClockStep(d time.Duration) { h.clockSteps.Add(int64(d.Abs())) }
