package loadgen

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

// A scoreboard is what is known of a run as a whole, and what is told and decided by it:
// progress.go, abort.go and result.go. A run in one process has its own, and of several
// processes the coordinator has it.
type scoreboard struct {
	Config
	clock      *timebase.Clock
	aggregator *record.Aggregator
	book       *ledger.Book
	problems   *problem.Counter
	sampler    *usage.Sampler
	began      time.Time

	gate      *abortGate
	phase     *phase
	reporting *sync.Mutex // held during calls of Progress and Watch
	// peak is the highest memory of the server in the steady state, in bytes, and used the
	// last sample with the server's use.
	peak *atomic.Uint64
	used *atomic.Pointer[usage.Sample]
	// self returns the lag of all generator processes so far, and how many packets they may
	// have lost.
	self func() (lag *metric.Trend, lost uint64)
	// mics returns how many mics there have been, and how many have opened.
	mics func() (all, open int)
	// seats is how many listeners there are to be; 0 as long as there is no room for any.
	seats func() int
}

func newScoreboard(cfg Config, clock *timebase.Clock, problems *problem.Counter) scoreboard {
	aggregator := record.NewAggregator()
	return scoreboard{
		Config: cfg, clock: clock, aggregator: aggregator, book: ledger.NewBook(aggregator), problems: problems, began: time.Now(),
		sampler: usage.NewSampler(clock, cfg.Server, problems),
		gate:    &abortGate{}, phase: &phase{}, reporting: &sync.Mutex{}, peak: &atomic.Uint64{}, used: &atomic.Pointer[usage.Sample]{},
	}
}

// marked reports whether the audio is marked.
func (r *scoreboard) marked() bool { return r.Scenario.AudioCheck == scenario.CheckMarker }
