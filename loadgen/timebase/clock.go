package timebase

import (
	"sync/atomic"
	"time"
)

// StepSlack is by how much the wall clock may move against the monotonic one before it
// counts as stepped: NTP slews it by less in a second.
const StepSlack = time.Millisecond

// A Clock is the one timeline of a run. It runs on the process's monotonic
// clock, so that a step of the wall clock shifts nothing, and translates the
// kernel's receive stamps, which are wall-clock times, onto itself.
//
// A Clock is safe for concurrent use.
type Clock struct {
	start time.Time
	// ahead is by how much the clock was put forward, in ns.
	ahead atomic.Int64
	// wall is the wall-clock time, in nanoseconds since 1970, of the clock's
	// zero as the wall clock reads now.
	wall atomic.Int64
	// steps counts the steps of the wall clock, and stepped is their total since Sync.
	steps   atomic.Uint64
	stepped atomic.Int64
}

// NewClock starts a clock at zero.
func NewClock() *Clock { return NewClockSince(time.Now()) }

// NewClockSince makes a clock whose zero was at a moment, or will be.
func NewClockSince(zero time.Time) *Clock {
	c := &Clock{start: zero}
	c.wall.Store(c.wallZero(time.Now()))
	return c
}

// PutForward has the clock show so much more than it would by itself, since another's is
// to be followed that is as much faster. It changes by little at a time.
func (c *Clock) PutForward(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

func (c *Clock) forward() time.Duration { return time.Duration(c.ahead.Load()) }

// Now is the time since the clock's zero.
func (c *Clock) Now() time.Duration { return time.Since(c.start) + c.forward() }

// Time is the moment t of the clock as a [time.Time] that can be slept until.
func (c *Clock) Time(t time.Duration) time.Time { return c.start.Add(t - c.forward()) }

// Since is the moment of the clock at which t was.
func (c *Clock) Since(t time.Time) time.Duration { return t.Sub(c.start) + c.forward() }

// FromWall translates a wall-clock time, in nanoseconds since 1970, of which [Clock.Look]
// says whether it can be: the wall clock must not have been stepped since.
func (c *Clock) FromWall(ns int64) time.Duration {
	return time.Duration(ns-c.wall.Load()) + c.forward()
}

// Look is the present, and a number that changes whenever the wall clock was stepped. From
// then on [Clock.FromWall] translates what was stamped after the step. Whoever reads stamped
// packets looks after each reading: those that were read since the number changed may have
// been stamped before the step as well as after it.
func (c *Clock) Look() (now time.Duration, steps uint64) {
	at := time.Now()
	if moved := c.moved(at); moved.Abs() > StepSlack {
		// A process that is stopped between the readings of the two clocks sees a step
		// that was none.
		c.follow(time.Now())
	}
	return at.Sub(c.start) + c.forward(), c.steps.Load()
}

// wallZero is what the wall clock would read at the clock's zero. It reads the wall clock,
// and Sub the monotonic one: now holds both.
func (c *Clock) wallZero(now time.Time) int64 {
	return now.UnixNano() - int64(now.Sub(c.start))
}

// moved is by how much the wall clock has moved since it was last followed.
func (c *Clock) moved(now time.Time) time.Duration {
	return time.Duration(c.wallZero(now) - c.wall.Load())
}

// follow has the clock translate by what the wall clock reads now.
func (c *Clock) follow(now time.Time) {
	old, zero := c.wall.Load(), c.wallZero(now)
	by := time.Duration(zero - old).Abs()
	if by > StepSlack {
		c.steps.Add(1) // first, so that nobody translates by the new zero and does not know
	}
	if c.wall.CompareAndSwap(old, zero) && by > StepSlack {
		c.stepped.Add(int64(by))
	}
}

// Sync follows the wall clock's small movements, too, and returns by how much it has been
// stepped in all since the last Sync. Whoever uses [Clock.FromWall] over more than a second
// calls it once a second.
func (c *Clock) Sync() (stepped time.Duration) {
	c.Look()
	if now := time.Now(); c.moved(now).Abs() <= StepSlack {
		c.follow(now)
	}
	return time.Duration(c.stepped.Swap(0))
}
