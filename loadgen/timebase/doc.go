// Package timebase has the one timeline of a run: its [Clock], and the grid of 20 ms
// bins that lies on it.
//
// All that a run sends and receives is told by times on the clock, which are
// [time.Duration]s since its zero. Every source sends a frame in each [Bin], at an offset of
// its own, so that a sent packet is named by its source and its bin.
package timebase
