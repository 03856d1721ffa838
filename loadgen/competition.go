package loadgen

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
)

const (
	// competeEvery is how often it is looked at who has the cores. The kernel counts in 10 ms.
	competeEvery = competeGlances * measure.BinLength
	// competeGlances is how many glances at the server's threads that is: one a frame.
	competeGlances = 5
)

// A competition watches whether a server on the generator's machine waits for cores while the
// generator, or others, run on them, and books by how much it may be behind for that. The second of
// an [observer] is too long for it: a crowd that reads what a server has just sent is in its way for
// moments. As long as a core is free now and then, the server is behind for no longer than it waited
// around one frame; else, since the last time that one was.
//
// Its watch is for one goroutine. Follow is safe for concurrent use.
type competition struct {
	clock      *measure.Clock
	aggregator *measure.Aggregator
	threads    atomic.Pointer[[]int] // of the server; nil if it is not measured
	last       coreSample
	behind     time.Duration // since a core was free
	// glance is what the server's threads had done a frame ago, waited for how long they waited in the
	// frame before, and longest that of two frames in a row since last.
	glance          map[int]host.ThreadTimes
	waited, longest time.Duration
}

// A coreSample is what the machine and the server's threads had done at a moment.
type coreSample struct {
	at      time.Duration
	machine host.CPUTimes
	threads map[int]host.ThreadTimes
}

// follow sets which threads the server has.
func (c *competition) follow(u *host.Usage) {
	if u != nil && u.Waits != nil {
		threads := slices.Collect(maps.Keys(u.Waits))
		c.threads.Store(&threads)
	}
}

// watch books until ctx is done.
func (c *competition) watch(ctx context.Context) {
	for n := 1; pause(ctx, measure.BinLength); n++ {
		threads := c.threads.Load()
		if threads == nil {
			continue
		}
		now := coreSample{at: c.clock.Now(), threads: host.ThreadTimesOf(*threads)}
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
func (c *competition) look(threads map[int]host.ThreadTimes) {
	_, waited := since(c.glance, threads)
	c.longest = max(c.longest, c.waited+waited)
	c.glance, c.waited = threads, waited
}

// enter books what happened since the last sample.
func (c *competition) enter(now coreSample) {
	before := c.last
	c.last = now
	if before.threads == nil {
		return
	}
	waited, crowded := competed(before, now)
	behind := min(waited, c.longest)
	c.longest = 0
	if crowded {
		c.behind = min(c.behind+waited, measure.Lateness)
		behind = c.behind
	} else {
		c.behind = 0
	}
	c.aggregator.Compete(before.at, now.at, waited, behind, crowded)
}

// competed returns for how long the server's threads waited for cores that others had between two
// samples, summed over them, and whether nearly no core was free. They can't have waited for others for
// longer than these ran; and others who hardly run are not in the way.
func competed(a, b coreSample) (waited time.Duration, crowded bool) {
	machine := b.machine.Sub(a.machine)
	all := machine.All().Seconds()
	crowded = machine.Idle.Seconds() < idleLeft*all
	ran, waited := since(a.threads, b.threads)
	others := machine.Busy - ran
	if others.Seconds() <= othersBusy*all {
		return 0, crowded
	}
	return min(waited, others), crowded
}

// since is for how long the threads ran and waited that are in two samples, summed over them.
func since(a, b map[int]host.ThreadTimes) (ran, waited time.Duration) {
	for thread, now := range b {
		if before, known := a[thread]; known {
			ran += now.Ran - before.Ran
			waited += now.Waited - before.Waited
		}
	}
	return ran, waited
}
