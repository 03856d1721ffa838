package metric

import "slices"

// Lowest returns the lowest distribution of which the following is known: of trends with the
// same number of samples each is a lower bound, except for so many of the samples. So the
// n-th greatest value is at least the (n+but)-th greatest of each. Values are to the
// resolution of a trend, and at most what they were.
func Lowest(trends []*Trend, but []uint64) *Trend {
	return byRank(trends, but, (*Trend).falling, func(a, b float64) float64 { return max(a, b) })
}

// Highest is the same of upper bounds: the n-th least value is at most the (n+but)-th least of
// each.
func Highest(trends []*Trend, but []uint64) *Trend {
	return byRank(trends, but, (*Trend).rising, func(a, b float64) float64 { return min(a, b) })
}

// A run is samples of one value.
type run struct {
	value float64
	count uint64
}

// falling are the samples from the greatest on, none greater than it was.
func (t *Trend) falling() (runs []run) {
	if t.over > 0 {
		runs = append(runs, run{t.max, 1})
		if t.over > 1 {
			runs = append(runs, run{max(Range, t.min), t.over - 1})
		}
	}
	if t.histogram != nil {
		for _, b := range slices.Backward(t.histogram.Counters()) {
			runs = append(runs, run{float64(b.Least) / trendScale, b.Count})
		}
	}
	return runs
}

// rising are the samples from the least on, none less than it was.
func (t *Trend) rising() (runs []run) {
	if t.histogram != nil {
		for _, b := range t.histogram.Counters() {
			runs = append(runs, run{min(float64(b.Most)/trendScale, t.max), b.Count})
		}
	}
	if t.over > 0 {
		runs = append(runs, run{t.max, t.over})
	}
	return runs
}

// byRank goes through the ranks of all trends at once. The bound of each begins but[i] ranks
// later than its samples.
func byRank(trends []*Trend, but []uint64, runsOf func(*Trend) []run, tighter func(a, b float64) float64) *Trend {
	all := &Trend{}
	var left [][]run
	for i, t := range trends {
		runs := runsOf(t)
		for skip := but[i]; skip > 0 && len(runs) > 0; {
			n := min(skip, runs[0].count)
			skip -= n
			if runs[0].count -= n; runs[0].count == 0 {
				runs = runs[1:]
			}
		}
		left = append(left, runs)
	}
	for {
		var next run
		for _, runs := range left {
			switch {
			case len(runs) == 0:
			case next.count == 0:
				next = runs[0]
			default:
				next = run{tighter(next.value, runs[0].value), min(next.count, runs[0].count)}
			}
		}
		if next.count == 0 {
			return all
		}
		all.RecordN(next.value, next.count)
		for i, runs := range left {
			if len(runs) == 0 {
				continue
			}
			if runs[0].count -= next.count; runs[0].count == 0 {
				left[i] = runs[1:]
			}
		}
	}
}
