package usage

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// competeEvery is how often it is looked at who has the cores. The kernel counts in 10 ms.
	competeEvery = competeGlances * timebase.BinLength
	// competeGlances is how many glances at the server's threads that is: one a frame.
	competeGlances = 5
	// competeSamples is over how many samples it is seen whether others run at all: in one of them the
	// kernel's count is wrong by as much as matters. In one they do if they take othersRush of the cores.
	competeSamples = 10
	othersRush     = 0.5
)

// A Competition watches whether a server on the generator's machine waits for cores while the
// generator, or others, run on them, and books by how much it may be behind for that. The second of
// an [observer] is too long for it: a crowd that reads what a server has just sent is in its way for
// moments. As long as a core is free now and then, the server is behind for no longer than it waited
// around one frame; else, since the last time that one was.
//
// Its watch is for one goroutine. Follow is safe for concurrent use.
type Competition struct {
	clock      *timebase.Clock
	aggregator *record.Aggregator
	threads    atomic.Pointer[[]int] // of the server; nil if it is not measured
	last       coreSample
	recent     []coreUse     // the last ones, the oldest first
	behind     time.Duration // since a core was free
	crowded    time.Duration // since when none was; what a thread waited may be from before
	// glance is what the server's threads had done a frame ago, waited for how long they waited in the
	// frame before, and longest that of two frames in a row since last.
	glance          map[int]process.ThreadTimes
	waited, longest time.Duration
}

// A coreSample is what the machine and the server's threads had done at a moment.
type coreSample struct {
	at      time.Duration
	machine host.CPUTimes
	threads map[int]process.ThreadTimes
}

// A coreUse is for how long others than the server ran between two samples, of all that the cores had.
type coreUse struct{ others, all time.Duration }

// othersShare is on which share of the cores others ran.
func othersShare(uses ...coreUse) float64 {
	var sum coreUse
	for _, u := range uses {
		sum.others, sum.all = sum.others+u.others, sum.all+u.all
	}
	return sum.others.Seconds() / max(sum.all, 1).Seconds()
}

// NewCompetition returns a competition that is not watched yet.
func NewCompetition(clock *timebase.Clock, a *record.Aggregator) *Competition {
	return &Competition{clock: clock, aggregator: a}
}

// Follow sets which threads the server has; others of its processes are found from them.
func (c *Competition) Follow(u *process.Usage) {
	if u != nil && u.Waits != nil {
		threads := slices.Collect(maps.Keys(u.Waits))
		c.threads.Store(&threads)
	}
}

// Watch books until ctx is done.
func (c *Competition) Watch(ctx context.Context) {
	glance := time.NewTimer(timebase.BinLength)
	defer glance.Stop()
	carriers := process.SoftIRQThreads() // which wait for cores as the server does, with its packets
	for n := 1; ; n++ {
		glance.Reset(timebase.BinLength)
		select {
		case <-glance.C:
		case <-ctx.Done():
			return
		}
		threads := c.threads.Load()
		if threads == nil {
			continue
		}
		now := coreSample{at: c.clock.Now(), threads: process.ThreadTimesOf(slices.Concat(*threads, carriers))}
		c.look(now.threads)
		if n%competeGlances > 0 {
			continue
		}
		var known bool
		if now.machine, known = host.MachineTimes(); known {
			c.enter(now)
		}
	}
}

// look enters what the server's threads have done since the last frame.
func (c *Competition) look(threads map[int]process.ThreadTimes) {
	_, waited := since(c.glance, threads)
	c.longest = max(c.longest, c.waited+waited)
	c.glance, c.waited = threads, waited
}

// enter books what happened since the last sample.
func (c *Competition) enter(now coreSample) {
	before := c.last
	c.last = now
	if before.threads == nil {
		return
	}
	waited, use, crowded := competed(before, now)
	if len(c.recent) == competeSamples {
		c.recent = append(c.recent[:0], c.recent[1:]...)
	}
	c.recent = append(c.recent, use)
	if othersShare(c.recent...) <= othersBusy && othersShare(use) <= othersRush {
		waited = 0
	}
	behind := min(waited, c.longest)
	c.longest = 0
	if crowded {
		// Several threads wait at the same time, but a packet for no longer than there has been no core.
		c.behind = min(c.behind+waited, now.at-c.crowded, record.Lateness)
		behind = c.behind
	} else {
		c.behind, c.crowded = 0, before.at
	}
	c.aggregator.Compete(before.at, now.at, waited, behind, crowded)
}

// competed returns for how long the server's threads waited for cores that others had between two
// samples, summed over them, what these used, and whether nearly no core was free. They can't have waited for
// others for longer than these ran.
func competed(a, b coreSample) (waited time.Duration, use coreUse, crowded bool) {
	machine := b.machine.Sub(a.machine)
	ran, waited := since(a.threads, b.threads)
	use = coreUse{machine.Busy - ran, machine.All()}
	return min(waited, max(0, use.others)), use, machine.Idle.Seconds() < idleLeft*use.all.Seconds()
}

// since is for how long the threads of the second of two samples ran and waited, summed over them. One that is
// not in the first, and has done no more than it can have done meanwhile, has begun since.
func since(a, b map[int]process.ThreadTimes) (ran, waited time.Duration) {
	for thread, now := range b {
		before, known := a[thread]
		if known || now.Ran+now.Waited <= 2*competeEvery {
			ran += now.Ran - before.Ran
			waited += now.Waited - before.Waited
		}
	}
	return ran, waited
}
