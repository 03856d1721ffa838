package loadgen

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A scoreboard is what is known of a run as a whole, and what is told and decided by it:
// progress.go, abort.go and result.go. A run in one process has its own, and of several
// processes the coordinator has it.
type scoreboard struct {
	Config
	clock      *timebase.Clock
	aggregator *record.Aggregator
	book       *ledger.Book
	problems   *problems
	sampler    *sampler
	began      time.Time

	gate      *abortGate
	phase     *phase
	reporting *sync.Mutex // held during calls of Progress and Watch
	// peak is the highest memory of the server in the steady state, in bytes, and used the
	// last sample with the server's use.
	peak *atomic.Uint64
	used *atomic.Pointer[sample]
	// self returns the lag of all generator processes so far, and how many packets they may
	// have lost.
	self func() (lag *metric.Trend, lost uint64)
	// mics returns how many mics there have been, and how many have opened.
	mics func() (all, open int)
	// cast is how many listeners there are to be; 0 as long as there is no room for any.
	cast func() int
}

func newScoreboard(cfg Config, clock *timebase.Clock, problems *problems) scoreboard {
	aggregator := record.NewAggregator()
	return scoreboard{
		Config: cfg, clock: clock, aggregator: aggregator, book: ledger.NewBook(aggregator), problems: problems, began: time.Now(),
		sampler: &sampler{clock: clock, server: cfg.Server, problems: problems},
		gate:    &abortGate{}, phase: &phase{}, reporting: &sync.Mutex{}, peak: &atomic.Uint64{}, used: &atomic.Pointer[sample]{},
	}
}

// castIn is how many listeners there are to be in the rooms that are open.
func (r *run) castIn() int {
	if len(r.rooms.opened()) == 0 {
		return 0
	}
	return r.Scenario.Rooms * r.Scenario.Listeners()
}

// selfTally is the lag and the losses of this process.
func (r *run) selfTally() (*metric.Trend, uint64) { return r.health.lag(), r.lost() }

// marked reports whether the audio is marked.
func (r *scoreboard) marked() bool { return r.Scenario.AudioCheck == scenario.CheckMarker }
