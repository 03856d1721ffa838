package loadgen

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A ClockCheck is what two workers hear of one another's speakers. What their clocks are apart
// makes one way look longer and the other shorter; half of the difference is by how much they
// are, if the ways are alike. It is a check of the bounds, and goes into no figure.
//
// Where only one of them has mics, what the other hears of them is held against what the one
// hears of them itself. Their ways to the server may be of different lengths then, but hardly by
// more than the bounds: who is far from the server is far from the coordinator, or from a worker
// that is near the server.
type ClockCheck struct {
	A, B string // the workers' names
	// Apart is by how much B's clock is ahead of A's by that.
	Apart time.Duration
	// Bound is by how much it may be at most, by the exchanges with the coordinator.
	Bound time.Duration
	// OneWay means that only one of them has mics.
	OneWay bool
}

const (
	// crossPackets is how many packets each of two workers has to have heard of the other, for
	// their medians to say something.
	crossPackets = 100
	// unlikeWays is what the ways of two workers may differ by.
	unlikeWays = time.Millisecond
)

// Contradicts reports whether the clocks are farther apart than their bounds allow, or the ways
// of the two workers are less alike than by a millisecond.
func (c ClockCheck) Contradicts() bool { return c.Apart.Abs() > c.Bound+unlikeWays }

// checkClocks compares the workers of each pair of which one heard the other, at least.
func checkClocks(workers []Worker, crossed []map[int]*metric.Trend) (all []ClockCheck) {
	heard := func(by, of int) (time.Duration, bool) {
		t := crossed[by][of]
		if t == nil || t.Count() < crossPackets {
			return 0, false
		}
		middle := t.Quantile(50)
		if 2*t.Negative() >= t.Count() { // of which quantiles know no more
			middle = t.Summary().Avg
		}
		return time.Duration(middle * float64(time.Millisecond)), true
	}
	for a := range workers {
		for b := a + 1; b < len(workers); b++ {
			c := ClockCheck{A: workers[a].Name, B: workers[b].Name, Bound: workers[a].ClockBound + workers[b].ClockBound}
			if c.Bound == 0 {
				continue // they have one clock
			}
			there, ok := heard(b, a)
			back, okay := heard(a, b)
			ofA, onlyA := heard(a, a)
			ofB, onlyB := heard(b, b)
			switch {
			case ok && okay:
				c.Apart = (there - back) / 2
			case ok && onlyA:
				c.Apart, c.OneWay = there-ofA, true
			case okay && onlyB:
				c.Apart, c.OneWay = ofB-back, true
			default:
				continue
			}
			all = append(all, c)
		}
	}
	return all
}
