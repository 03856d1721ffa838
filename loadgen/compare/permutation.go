package compare

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// alpha is the level of every test: the share of comparisons without a change
	// beyond the limit in which any figure is called worse.
	alpha = 0.05
	// maxLabelings bounds how many ways of dividing the runs into two sides are tried.
	// More are sampled at random.
	maxLabelings = 2000
	// minPairs is how many pairs a paired test needs: 2⁵ labelings, the fewest of which
	// one is less than alpha.
	minPairs = 5
)

// A labeling divides the runs of both sides into a base (false) and a new side (true).
type labeling []bool

// labelings returns the ways of dividing runs that were equally likely if the sides
// did not differ, the actual one first. pairs are the indices of runs that belong
// together; without pairs, all runs are exchangeable.
func labelings(base, now int, pairs [][2]int) []labeling {
	actual := actualLabeling(base, now)
	all := []labeling{actual}
	random := rand.New(rand.NewPCG(1, 2)) // the same for everybody, so that results can be repeated
	switch {
	case len(pairs) > 0 && 1<<min(len(pairs), 30) <= maxLabelings:
		for flips := 1; flips < 1<<len(pairs); flips++ {
			all = append(all, flipped(actual, pairs, func(i int) bool { return flips>>i&1 == 1 }))
		}
	case len(pairs) > 0:
		for len(all) < maxLabelings {
			all = append(all, flipped(actual, pairs, func(int) bool { return random.IntN(2) == 1 }))
		}
	case choose(base+now, now) <= maxLabelings:
		all = append(all, combinations(actual, now)...)
	default:
		for len(all) < maxLabelings {
			l := slices.Clone(actual)
			random.Shuffle(len(l), func(i, k int) { l[i], l[k] = l[k], l[i] })
			all = append(all, l)
		}
	}
	return all
}

// actualLabeling is that of runs whose first ones are the base.
func actualLabeling(base, now int) labeling {
	l := make(labeling, base+now)
	for i := base; i < len(l); i++ {
		l[i] = true
	}
	return l
}

// flipped swaps the sides of some pairs.
func flipped(actual labeling, pairs [][2]int, flip func(i int) bool) labeling {
	l := slices.Clone(actual)
	for i, p := range pairs {
		if flip(i) {
			l[p[0]], l[p[1]] = l[p[1]], l[p[0]]
		}
	}
	return l
}

// combinations are all labelings with as many new runs as the actual one, but for it.
func combinations(actual labeling, now int) (all []labeling) {
	l := make(labeling, len(actual))
	var fill func(i, left int)
	fill = func(i, left int) {
		switch {
		case left > len(l)-i:
			return
		case i == len(l):
			if !slices.Equal(l, actual) {
				all = append(all, slices.Clone(l))
			}
			return
		}
		if left > 0 {
			l[i] = true
			fill(i+1, left-1)
		}
		l[i] = false
		fill(i+1, left)
	}
	fill(0, now)
	return all
}

// choose is the binomial coefficient.
func choose(n, k int) float64 {
	ways := 1.0
	for i := 1; i <= min(k, n-k); i++ {
		ways *= float64(n-i+1) / float64(i)
	}
	return ways
}

// studentized are the statistic of a figure for each labeling, after the runs of the
// actual new side have been shifted down by shift: if the figure is worse by exactly
// that, all labelings are equally likely. Each is divided by its standard error, so that
// figures can be set against each other. As in SAM (Tusher, Tibshirani and Chu, 2001), a
// constant is added to the error, so that runs that happen to be alike do not blow it up.
func studentized(s statistic, all []labeling, shift float64) []float64 {
	at, logs := s.shifted(all[0], shift)
	d, errors := make([]float64, len(all)), make([]float64, len(all))
	for i, l := range all {
		d[i], errors[i] = at(l), standardError(logs, l)
	}
	constant := fudge * median(errors)
	if constant < 1e-12 {
		constant = 1e-12 // the runs are all alike
	}
	for i := range d {
		d[i] /= errors[i] + constant
	}
	return d
}

// fudge is the constant in the error, as a share of the median error.
const fudge = 0.2

// standardError is that of a difference of means, from the runs' deviations from the
// mean of their side.
func standardError(logs []float64, l labeling) float64 {
	var sums, counts [2]float64
	for i, v := range logs {
		k := side(l, i)
		sums[k] += v
		counts[k]++
	}
	squares := 0.0
	for i, v := range logs {
		k := side(l, i)
		squares += (v - sums[k]/counts[k]) * (v - sums[k]/counts[k])
	}
	n := counts[0] + counts[1]
	return math.Sqrt(squares / max(n-2, 1) * (1/counts[0] + 1/counts[1]))
}

// atLeast is the share of values that are not below the first, the p-value of a large
// first value. (The first is one of the values, so the share is never 0.)
func atLeast(values []float64, first float64) float64 {
	n := 0
	for _, v := range values {
		if v >= first-1e-9 {
			n++
		}
	}
	return float64(n) / float64(len(values))
}

// atMost is the share of values that are not above the first.
func atMost(values []float64, first float64) float64 {
	n := 0
	for _, v := range values {
		if v <= first+1e-9 {
			n++
		}
	}
	return float64(n) / float64(len(values))
}

// A test is the statistics of the figures that are judged together, each with the
// limit of its shift.
type test struct {
	statistics []statistic
	limits     []float64
	labelings  []labeling

	atLimit  [][]float64 // the differences at the limits
	greatest []float64   // of all figures, for each labeling
}

func newTest(statistics []statistic, limits []float64, all []labeling) *test {
	t := &test{statistics: statistics, limits: limits, labelings: all}
	for i, s := range statistics {
		t.atLimit = append(t.atLimit, studentized(s, all, limits[i]))
	}
	t.greatest = t.maxOfOthers(-1)
	return t
}

// maxOfOthers are the greatest differences of each labeling over all figures but one.
// The differences of figure k are compared with them and with its own, which is the
// single-step max-T procedure of Westfall and Young (Resampling-Based Multiple
// Testing, 1993): it keeps the chance of any false alarm at alpha, whatever the
// figures' dependence.
func (t *test) maxOfOthers(k int) []float64 {
	greatest := make([]float64, len(t.labelings))
	for i := range greatest {
		greatest[i] = math.Inf(-1)
	}
	for other, d := range t.atLimit {
		if other == k {
			continue
		}
		for i, v := range d {
			greatest[i] = max(greatest[i], v)
		}
	}
	return greatest
}

// outcome is what the tests say of figure k at its limit.
func (t *test) outcome(k int) (worse, within bool) {
	d := t.atLimit[k]
	return atLeast(t.greatest, d[0]) <= alpha, atMost(d, d[0]) <= alpha
}

// worse is the adjusted p-value of figure k not being worse by more than shift.
func (t *test) worse(k int, shift float64, others []float64) float64 {
	d := studentized(t.statistics[k], t.labelings, shift)
	first := d[0]
	for i := range d {
		d[i] = max(d[i], others[i])
	}
	return atLeast(d, first)
}

// within is the p-value of figure k being worse by shift or more. It needs no
// adjustment: the sides are called alike only if all figures are, and the chance of
// a wrong call is at most that of each.
func (t *test) within(k int, shift float64) float64 {
	d := studentized(t.statistics[k], t.labelings, shift)
	return atMost(d, d[0])
}

// interval is the range of shifts of figure k that the tests at level alpha do not
// rule out. An end is infinite if there are too few runs to rule out any.
func (t *test) interval(k int) (low, high float64) {
	estimate := t.statistics[k].estimate(t.labelings[0])
	others := t.maxOfOthers(k)
	low = boundary(estimate, -1, func(shift float64) bool { return t.worse(k, shift, others) <= alpha })
	high = boundary(estimate, 1, func(shift float64) bool { return t.within(k, shift) <= alpha })
	return low, high
}

// boundary is the shift next to the estimate that is ruled out, in a direction.
func boundary(estimate, direction float64, ruledOut func(float64) bool) float64 {
	far := 1e-3
	for !ruledOut(estimate + direction*far) {
		if far *= 4; far > 20 { // e²⁰ times as much
			return math.Inf(int(direction))
		}
	}
	near := 0.0
	for range 20 {
		if mid := (near + far) / 2; ruledOut(estimate + direction*mid) {
			far = mid
		} else {
			near = mid
		}
	}
	return estimate + direction*far
}

// constant reports whether figure k is the same in every run, and there are runs enough
// to say so.
func (t *test) constant(k int) bool {
	at, logs := t.statistics[k].shifted(t.labelings[0], 0)
	for _, v := range logs {
		if v != logs[0] {
			return false
		}
	}
	return at(t.labelings[0]) == 0 && 1/float64(len(t.labelings)) <= alpha
}

// The quantiles of the normal distribution for 5 % on one side and for a power of 80 %.
const zAlpha, zPower = 1.645, 0.842

// runsNeeded is about how many runs a side decide figure k with a power of 80 %, if it
// goes on as it did. It is 0 if that can't be said.
func (t *test) runsNeeded(k, now int) int {
	estimate := t.statistics[k].estimate(t.labelings[0])
	_, logs := t.statistics[k].shifted(t.labelings[0], estimate)
	deviation := standardError(logs, t.labelings[0])
	distance := math.Abs(estimate - t.limits[k])
	if now < minRuns || deviation == 0 || distance == 0 || math.IsInf(distance, 0) {
		return 0
	}
	z := zAlpha + zPower
	if estimate > t.limits[k] { // the adjusted test is the stricter one
		z = normalQuantile(1-alpha/float64(len(t.statistics))) + zPower
	}
	ratio := z * deviation / distance
	// The last term is for the error of a deviation that is estimated (Guenther, 1981).
	return max(now+1, int(math.Ceil(float64(now)*ratio*ratio+z*z/4)))
}

// normalQuantile is that of the standard normal distribution.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
