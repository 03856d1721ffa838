package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// fewSamples is how many samples beyond a quantile a run needs to measure it by itself.
const fewSamples = 10

// resolution is the least value of a figure that is told from 0.
const resolution = 0.001

// judged are the figures that the thresholds of the runs are on, each once, in their
// order. The windows of thresholds and their limits are not compared: what is judged is
// how the figure changed.
func judged(runs []*Run) (all []judgedFigure) {
	for _, r := range runs {
		for _, t := range r.Thresholds {
			f, ok := newJudgedFigure(t.Threshold)
			if ok && !slices.ContainsFunc(all, func(have judgedFigure) bool { return have.Name() == f.Name() }) {
				all = append(all, f)
			}
		}
	}
	return all
}

// A judgedFigure is the figure of a threshold.
type judgedFigure struct {
	figure.Figure
	threshold metric.Threshold
}

// Name is the figure's, with the window of the threshold.
func (f judgedFigure) Name() string {
	if f.threshold.Over > 0 {
		return fmt.Sprintf("%s over %v", f.Figure.Name(), f.threshold.Over)
	}
	return f.Figure.Name()
}

// newJudgedFigure returns false for a threshold on the number of samples, of which
// neither more nor less is better.
func newJudgedFigure(t metric.Threshold) (judgedFigure, bool) {
	d, ok := metric.Lookup(t.Metric)
	if !ok || d.Kind != metric.KindCounter && t.Aggregation == metric.AggregateCount {
		return judgedFigure{}, false
	}
	f := figure.Figure{Metric: t.Metric, Stat: string(t.Aggregation), Unit: d.Unit, Better: metric.Lower}
	switch {
	case d.Kind == metric.KindRate:
		f.Stat, f.Unit, f.Share = metric.Missed, metric.None, true
	case t.Aggregation == metric.AggregatePercentile:
		f.Stat = "p(" + strconv.FormatFloat(t.Percentile, 'f', -1, 64) + ")"
	}
	switch {
	case d.Kind != metric.KindRate && (t.Operator == metric.Greater || t.Operator == metric.GreaterEqual):
		f.Better = metric.Higher
	case d.Kind == metric.KindRate && (t.Operator == metric.Less || t.Operator == metric.LessEqual):
		f.Stat = "rate" // a rate that shall be low
	}
	return judgedFigure{f, t}, true
}

// floor is the value that lower ones count as: a hundredth of the threshold's limit.
// Changes below that decide nothing, and zeros have no ratio.
func (f judgedFigure) floor() float64 {
	limit := f.threshold.Limit
	if f.Stat == metric.Missed {
		limit = 1 - limit
	}
	return max(limit/100, 0)
}

// value is the figure of a run at one end of its doubt.
func (f judgedFigure) value(r *Run, e end) (float64, bool) {
	for _, t := range r.Thresholds {
		if t.Metric != f.threshold.Metric || t.Aggregation != f.threshold.Aggregation || t.Percentile != f.threshold.Percentile || t.Over != f.threshold.Over || t.Value == nil {
			continue
		}
		v := *t.Value
		if e == worst && t.Worst != nil {
			v = *t.Worst
		} else if e == best && t.Best != nil {
			v = *t.Best
		}
		if f.Stat == metric.Missed {
			v = 1 - v
		}
		return v, true
	}
	if f.threshold.Over > 0 {
		return 0, false
	}
	return f.Of(r.at(e))
}

// statistic is how the figure is compared, given which end of the doubt of each run is
// meant; false if a run lacks it.
func (f judgedFigure) statistic(runs []*Run, ends []end) (statistic, bool) {
	if f.threshold.Over == 0 {
		if s, ok := f.pooledRate(runs, ends); ok {
			return s, true
		}
		if s, ok := f.pooledQuantile(runs, ends); ok {
			return s, true
		}
	}
	values := make([]float64, len(runs))
	for i, r := range runs {
		v, ok := f.value(r, ends[i])
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		values[i] = v
	}
	return newMeans(values, max(f.floor(), resolution*f.unit()), sign(f.Better)), true
}

// unit is 1 in the figure's unit, or a share of one millionth.
func (f judgedFigure) unit() float64 {
	if f.Share {
		return 1e-3
	}
	return 1
}

// pooledRate is for shares and for counters, whose events and exposure add up.
func (f judgedFigure) pooledRate(runs []*Run, ends []end) (statistic, bool) {
	d, _ := metric.Lookup(f.Metric)
	var events, exposure []float64
	for i, r := range runs {
		at := r.at(ends[i])
		switch d.Kind {
		case metric.KindRate:
			passes, ok := at.Number(f.Metric, "passes")
			total, okay := at.Number(f.Metric, "total")
			if !ok || !okay {
				return nil, false
			}
			if f.Stat == metric.Missed {
				passes = total - passes
			}
			events, exposure = append(events, max(passes, 0)), append(exposure, total)
		case metric.KindCounter:
			count, ok := at.Number(f.Metric, "count")
			if !ok {
				return nil, false
			}
			events, exposure = append(events, max(count, 0)), append(exposure, 1)
		default:
			return nil, false
		}
	}
	return newPooledRate(events, exposure, f.floor()), true
}

// pooledQuantile is for quantiles that a run has too few samples for.
func (f judgedFigure) pooledQuantile(runs []*Run, ends []end) (statistic, bool) {
	quantile := f.threshold.Percentile / 100
	switch f.threshold.Aggregation {
	case metric.AggregateMed:
		quantile = 0.5
	case metric.AggregatePercentile:
	default:
		return nil, false
	}
	var all [][]metric.Bucket
	few := false
	for i, r := range runs {
		at := r.at(ends[i])
		count, ok := at.Number(f.Metric, "count")
		text, okay := at[f.Metric]["histogram"].(string)
		if !ok || !okay {
			return nil, false
		}
		few = few || count*min(quantile, 1-quantile) < fewSamples
		buckets, err := metric.ParseHistogram(text)
		if err != nil {
			return nil, false
		}
		all = append(all, withBeyond(buckets, at, ends[i], f.Metric))
	}
	if !few {
		return nil, false
	}
	return newPooledQuantile(all, quantile, max(f.floor(), resolution), sign(f.Better)), true
}

// withBeyond adds the samples that a histogram has no place for, of which the count and the
// greatest are known.
func withBeyond(buckets []metric.Bucket, at numbers, e end, name string) []metric.Bucket {
	count, _ := at.Number(name, "count")
	greatest, _ := at.Number(name, "max")
	beyond := uint64(count)
	for _, b := range buckets {
		beyond -= min(b.Count, beyond)
	}
	if beyond == 0 {
		return buckets
	}
	if e == best {
		return append(buckets, metric.Bucket{Value: metric.Range, Count: beyond})
	}
	return append(buckets, metric.Bucket{Value: greatest, Count: beyond})
}
