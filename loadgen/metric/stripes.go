package metric

import (
	"math/rand/v2"
	"runtime"
	"sync"
)

// maxStripes bounds the memory of a [Stripes] to about 2 MB on machines with
// many cores.
const maxStripes = 16

// Stripes is a trend that many goroutines record into at once: several trends,
// a lock each, merged when they are read.
type Stripes struct {
	stripes []stripe
}

type stripe struct {
	mu    sync.Mutex
	trend Trend
	_     [64]byte // keeps neighbours' locks off one cache line
}

// NewStripes makes an empty Stripes for as many goroutines as run at once.
func NewStripes() *Stripes {
	return &Stripes{stripes: make([]stripe, min(runtime.GOMAXPROCS(0), maxStripes))}
}

// Record enters one value. See [Trend.Record].
func (s *Stripes) Record(v float64) { s.RecordN(v, 1) }

// RecordN enters the same value n times. See [Trend.RecordN].
func (s *Stripes) RecordN(v float64, n uint64) {
	// Chance spreads the goroutines well enough, and needs nothing shared.
	p := &s.stripes[rand.IntN(len(s.stripes))]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trend.RecordN(v, n)
}

// Snapshot is everything recorded so far, merged. The caller owns it.
func (s *Stripes) Snapshot() *Trend {
	all := new(Trend)
	for i := range s.stripes {
		p := &s.stripes[i]
		p.mu.Lock()
		all.Merge(&p.trend)
		p.mu.Unlock()
	}
	return all
}

// Merge adds all that o holds.
func (s *Stripes) Merge(o *Trend) {
	p := &s.stripes[0]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trend.Merge(o)
}

// Take is everything recorded since the last Take, merged. The caller owns it.
func (s *Stripes) Take() *Trend {
	all := new(Trend)
	for i := range s.stripes {
		p := &s.stripes[i]
		p.mu.Lock()
		all.Merge(&p.trend)
		p.trend = Trend{}
		p.mu.Unlock()
	}
	return all
}
