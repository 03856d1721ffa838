package measure

import (
	"sync/atomic"
	"time"
)

// BinLength is the length of a bin and of every Opus frame that a source sends.
const BinLength = 20 * time.Millisecond

// Bin counts bins of 20 ms from the start of the run's clock.
type Bin int64

// Start is the bin's first instant on the run's clock.
func (b Bin) Start() time.Duration { return time.Duration(b) * BinLength }

// BinAt is the bin that holds t; t is not negative.
func BinAt(t time.Duration) Bin { return Bin(t / BinLength) }

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
}

// NewClock starts a clock at zero.
func NewClock() *Clock { return NewClockSince(time.Now()) }

// NewClockSince makes a clock whose zero was at a moment, or will be.
func NewClockSince(zero time.Time) *Clock {
	c := &Clock{start: zero}
	c.Sync()
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

// FromWall translates a wall-clock time, in nanoseconds since 1970.
func (c *Clock) FromWall(ns int64) time.Duration {
	return time.Duration(ns-c.wall.Load()) + c.forward()
}

// Sync reads the wall clock anew and returns by how much it was stepped since
// the last Sync. Whoever uses [Clock.FromWall] over more than a second calls it
// once a second.
func (c *Clock) Sync() (step time.Duration) {
	now := time.Now()
	// UnixNano reads the wall clock, Sub the monotonic one; now holds both.
	wall := now.UnixNano() - int64(now.Sub(c.start))
	return time.Duration(wall - c.wall.Swap(wall))
}
