package scoreboard

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// A Scoreboard is what is known of a run as a whole, and what is told and decided by it:
// progress.go, abort.go and result.go. A run in one process has its own, and of several
// processes the coordinator has it. Who has it sets Self, Mics and Seats before anything is reported. It is safe for
// concurrent use after that.
type Scoreboard struct {
	Config
	Clock      *timebase.Clock
	Aggregator *record.Aggregator
	Book       *ledger.Book
	Problems   *problem.Counter
	Sampler    *usage.Sampler
	began      time.Time

	gate      *abortGate
	phase     *phase
	reporting *sync.Mutex // held during calls of Progress and Watch
	// peak is the highest memory of the server in the steady state, in bytes, and used the
	// last sample with the server's use.
	peak *atomic.Uint64
	used *atomic.Pointer[usage.Sample]
	// Self returns the lag of all generator processes so far, and how many packets they may
	// have lost.
	Self func() (lag *metric.Trend, lost uint64)
	// Mics returns how many mics there have been, and how many have opened.
	Mics func() (all, open int)
	// Seats is how many listeners there are to be; 0 as long as there is no room for any.
	Seats func() int
}

// New returns that of a run which begins now.
func New(cfg Config, clock *timebase.Clock, problems *problem.Counter) Scoreboard {
	aggregator := record.NewAggregator()
	return Scoreboard{
		Config: cfg, Clock: clock, Aggregator: aggregator, Book: ledger.NewBook(aggregator), Problems: problems, began: time.Now(),
		Sampler: usage.NewSampler(clock, cfg.Server, problems),
		gate:    &abortGate{}, phase: &phase{}, reporting: &sync.Mutex{}, peak: &atomic.Uint64{}, used: &atomic.Pointer[usage.Sample]{},
	}
}

// EnterUse enters what the server has used, if that is known.
func (r *Scoreboard) EnterUse(now usage.Sample) {
	if now.Server == nil {
		return
	}
	r.used.Store(&now)
	if r.phase.is(record.Steady) {
		r.peak.Store(max(r.peak.Load(), now.Server.Memory))
	}
}

// LastUse is the last sample that had the server's use; nil if none had.
func (r *Scoreboard) LastUse() *usage.Sample { return r.used.Load() }

// marked reports whether the audio is marked.
func (r *Scoreboard) marked() bool { return r.Scenario.AudioCheck == scenario.CheckMarker }
