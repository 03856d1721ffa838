package record

import (
	"math"
	"slices"
	"time"
)

// Heard is what one listener who joined received in the measured window.
type Heard struct {
	Delivered float64       // share of the packets owed
	Latency   time.Duration // mean
}

// surelyApart is how unlikely it has to be that two groups of listeners heard
// figures this far apart by chance.
const surelyApart = 0.001

// Apart reports whether two groups of listeners heard something else than chance
// makes of who is in which: a rank-sum test over listeners, since a fault of the
// server may well strike some listeners and not others (Mann and Whitney, 1947; the
// normal approximation with the correction for ties). The groups' figures are of the
// listeners.
func Apart(a, b []float64) bool {
	n, m := float64(len(a)), float64(len(b))
	if n < 2 || m < 2 {
		return false
	}
	type ranked struct {
		value float64
		first bool
	}
	all := make([]ranked, 0, len(a)+len(b))
	for _, v := range a {
		all = append(all, ranked{v, true})
	}
	for _, v := range b {
		all = append(all, ranked{v, false})
	}
	slices.SortFunc(all, func(x, y ranked) int {
		switch {
		case x.value < y.value:
			return -1
		case x.value > y.value:
			return 1
		}
		return 0
	})
	var sum, ties float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].value == all[i].value {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		rank := float64(i+j+1) / 2
		for ; i < j; i++ {
			if all[i].first {
				sum += rank
			}
		}
	}
	total := n + m
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return false
	}
	z := (math.Abs(sum-n*(total+1)/2) - 0.5) / math.Sqrt(variance)
	return math.Erfc(z/math.Sqrt2) < surelyApart
}
