package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A statistic is by how much a figure is worse on the new side of a labeling: the
// difference of logarithms, so that 0.05 is about 5 %. Runs are the samples, and not
// packets: what differs from run to run is the same for all packets of one.
type statistic interface {
	// shifted returns the statistic of labelings of the runs after those that are new in
	// actual have been made better by shift, and the logarithms of the runs' own values
	// then, whose spread is the noise.
	shifted(actual labeling, shift float64) (of func(labeling) float64, logs []float64)
	// estimate is the statistic of the labeling, without a shift.
	estimate(labeling) float64
}

// sign is 1 for a figure that is worse when it is higher, and -1 for one that is
// worse when it is lower.
func sign(better metric.Direction) float64 {
	if better == metric.Higher {
		return -1
	}
	return 1
}

// means compares the means of the runs' logarithms: for figures that each run measured
// well by itself.
type means struct{ logs []float64 } // a run each, greater is worse

// newMeans takes the runs' values. Those below floor count as floor.
func newMeans(values []float64, floor, sign float64) means {
	m := means{make([]float64, len(values))}
	for i, v := range values {
		m.logs[i] = sign * math.Log(max(v, floor))
	}
	return m
}

func (m means) shifted(actual labeling, shift float64) (func(labeling) float64, []float64) {
	logs := shiftedLogs(m.logs, actual, shift)
	return means{logs}.estimate, logs
}

func shiftedLogs(logs []float64, actual labeling, shift float64) []float64 {
	logs = slices.Clone(logs)
	for i := range logs {
		if actual[i] {
			logs[i] -= shift
		}
	}
	return logs
}

func (m means) estimate(l labeling) float64 {
	var sums, counts [2]float64
	for i, v := range m.logs {
		k := side(l, i)
		sums[k] += v
		counts[k]++
	}
	return sums[1]/counts[1] - sums[0]/counts[0]
}

// pooledRate compares events per exposure, summed over the runs of a side: lost packets
// of all packets, or events a run. Sums count runs without any event as they should,
// whose logarithm would not.
type pooledRate struct {
	events, exposure []float64
	floor            float64 // rates below it count as it
}

// newPooledRate makes one whose floor is at least one event of all the exposure, as less
// can't be told from none.
func newPooledRate(events, exposure []float64, floor float64) pooledRate {
	all := 0.0
	for _, e := range exposure {
		all += e
	}
	return pooledRate{events, exposure, max(floor, 1/all)}
}

func (p pooledRate) shifted(actual labeling, shift float64) (func(labeling) float64, []float64) {
	shifted := pooledRate{slices.Clone(p.events), p.exposure, p.floor}
	logs := make([]float64, len(p.events))
	for i := range logs {
		if actual[i] {
			shifted.events[i] *= math.Exp(-shift)
		}
		logs[i] = math.Log(shifted.rate(shifted.events[i], shifted.exposure[i]))
	}
	return shifted.estimate, logs
}

func (p pooledRate) estimate(l labeling) float64 {
	events, exposure := p.sums(l)
	return math.Log(p.rate(events[1], exposure[1])) - math.Log(p.rate(events[0], exposure[0]))
}

// sums are those of the base and of the new side.
func (p pooledRate) sums(l labeling) (events, exposure [2]float64) {
	for i := range p.events {
		events[side(l, i)] += p.events[i]
		exposure[side(l, i)] += p.exposure[i]
	}
	return events, exposure
}

func (p pooledRate) rate(events, exposure float64) float64 { return max(events/exposure, p.floor) }

// pooledQuantile compares a quantile of all samples of a side together: for quantiles
// that a run by itself has too few samples for.
type pooledQuantile struct {
	samples     []sample  // of all runs, the lowest first
	totals      []float64 // how many samples each run has
	logs        []float64 // of the runs' own quantiles
	quantile    float64   // from 0 to 1
	floor, sign float64
}

type sample struct {
	value float64
	count float64
	run   int
}

func newPooledQuantile(runs [][]metric.Bucket, quantile, floor, sign float64) pooledQuantile {
	p := pooledQuantile{quantile: quantile, floor: floor, sign: sign}
	p.totals = make([]float64, len(runs))
	for run, buckets := range runs {
		for _, b := range buckets {
			p.totals[run] += float64(b.Count)
			p.samples = append(p.samples, sample{b.Value, float64(b.Count), run})
		}
	}
	p.sort()
	for run := range runs {
		own := make(labeling, len(runs))
		own[run] = true
		p.logs = append(p.logs, sign*math.Log(max(p.quantiles(own)[1], floor)))
	}
	return p
}

func (p pooledQuantile) sort() {
	slices.SortFunc(p.samples, func(a, b sample) int { return cmp.Compare(a.value, b.value) })
}

func (p pooledQuantile) shifted(actual labeling, shift float64) (func(labeling) float64, []float64) {
	p.samples = slices.Clone(p.samples)
	for i := range p.samples {
		if actual[p.samples[i].run] {
			p.samples[i].value *= math.Exp(-p.sign * shift)
		}
	}
	p.sort()
	return p.estimate, shiftedLogs(p.logs, actual, shift)
}

func (p pooledQuantile) estimate(l labeling) float64 {
	q := p.quantiles(l)
	return p.sign * (math.Log(max(q[1], p.floor)) - math.Log(max(q[0], p.floor)))
}

// quantiles are those of the base and of the new side: the least value that at least
// that share of the side's samples do not exceed. They are searched from the nearer
// end.
func (p pooledQuantile) quantiles(l labeling) (q [2]float64) {
	var left [2]float64 // how many samples are to be passed
	for run, n := range p.totals {
		left[side(l, run)] += n
	}
	for k, total := range left {
		rank := max(math.Ceil(p.quantile*total-1e-9), 1)
		if left[k] = rank; p.quantile > 0.5 {
			left[k] = total - rank + 1
		}
	}
	for i := range p.samples {
		s := p.samples[i]
		if p.quantile > 0.5 {
			s = p.samples[len(p.samples)-1-i]
		}
		k := side(l, s.run)
		if left[k] > 0 {
			if left[k] -= s.count; left[k] <= 0 {
				q[k] = s.value
			}
		} else if left[1-k] <= 0 {
			break
		}
	}
	return q
}

func side(l labeling, run int) int {
	if l[run] {
		return 1
	}
	return 0
}
