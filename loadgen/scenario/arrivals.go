package scenario

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// A Shape is how arrivals are spread over their time.
type Shape string

const (
	// Linear arrivals are evenly spaced.
	Linear Shape = "linear"
	// Poisson arrivals come by chance, as people who know nothing of each other.
	Poisson Shape = "poisson"
	// SCurve arrivals begin slowly, are three halves as dense as linear ones in
	// the middle, and end slowly.
	SCurve Shape = "s-curve"
	// Burst arrivals come all at once, at 0.
	Burst Shape = "burst"
)

// Arrivals is when the members of a group come. The zero Arrivals is a burst.
type Arrivals struct {
	// Within is the time in which all of them come.
	Within Duration
	Shape  Shape
}

// Times is when each of n comes, from the start of the arrivals: n times in
// order, none below 0 or above Within. It depends on nothing but its arguments,
// and on the seed only for Poisson arrivals.
//
// Poisson arrivals are those of a Poisson process of which it is known that n
// come in the time: gaps of exponentially distributed length, scaled so that
// all n and the wait after the last fill it.
func (a Arrivals) Times(n int, seed int64) []time.Duration {
	times := make([]time.Duration, max(n, 0))
	if a.Shape != Poisson {
		for k := range times {
			times[k] = a.at(k, n)
		}
		return times
	}
	chance := rand.New(rand.NewPCG(uint64(seed), arrivalsStream))
	sums := make([]float64, len(times))
	total := 0.0
	for k := range sums {
		total += chance.ExpFloat64()
		sums[k] = total
	}
	total += chance.ExpFloat64()
	for k := range times {
		times[k] = a.share(sums[k] / total)
	}
	return times
}

// arrivalsStream keeps the random numbers of arrivals apart from others of the seed.
const arrivalsStream = 0xa221

// Count is how many of n have come when the time elapsed has passed since the
// start of the arrivals: those whose time is not after it. For Poisson arrivals
// it is the number expected without knowing the seed, which is that of linear
// ones.
func (a Arrivals) Count(elapsed time.Duration, n int) int {
	return sort.Search(max(n, 0), func(k int) bool { return a.at(k, n) > elapsed })
}

// at is when number k of n comes.
func (a Arrivals) at(k, n int) time.Duration {
	x := float64(k) / float64(n)
	switch a.Shape {
	case Linear, Poisson:
		return a.share(x)
	case SCurve:
		// 3x² − 2x³ is the share that has come by x; this is its inverse.
		return a.share(0.5 - math.Sin(math.Asin(1-2*x)/3))
	}
	return 0
}

// share is so much of the time.
func (a Arrivals) share(x float64) time.Duration {
	return time.Duration(min(max(x, 0), 1) * float64(a.Within))
}
