package measure

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// crossed is the latency of a source's frames to this process's probes in the measured window,
// as the two processes' clocks have it. It is safe for concurrent use.
type crossed struct {
	process int

	mu      sync.Mutex
	latency metric.Trend // in ms
}

// From enters which process of the run sends the source, on a way that is like that of others. It is
// called before the source sends.
func (m *Source) From(process int) { m.crossed.Store(&crossed{process: process}) }

// cross enters the latency of a frame to a probe, of which so much may be the sender's lateness.
func (m *Source) cross(latency, late time.Duration) {
	if c := m.crossed.Load(); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.latency.Record(ms(latency - late))
	}
}

// Crossed adds the latencies of what this process's probes heard, by the process that sent it.
func (r *Ledger) Crossed(by map[int]*metric.Trend) {
	for _, m := range r.list() {
		c := m.crossed.Load()
		if c == nil {
			continue
		}
		c.mu.Lock()
		if by[c.process] == nil {
			by[c.process] = &metric.Trend{}
		}
		by[c.process].Merge(&c.latency)
		c.mu.Unlock()
	}
}
