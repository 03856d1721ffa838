package coordinator

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
)

// crossPackets is how many packets each of two workers has to have heard of the other, for
// their medians to say something.
const crossPackets = 100

// checkClocks compares the workers of each pair of which one heard the other, at least.
func checkClocks(workers []scoreboard.Worker, crossed []map[int]*metric.Trend) (all []scoreboard.ClockCheck) {
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
			c := scoreboard.ClockCheck{A: workers[a].Name, B: workers[b].Name, Bound: workers[a].ClockBound + workers[b].ClockBound}
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
