package metric

import "slices"

// Sooner is t as it would be if its n greatest values were smaller by by, except that no
// value falls below least. Values that are below it already stay.
func (t *Trend) Sooner(by, least float64, n uint64) *Trend {
	all := &Trend{coarse: t.coarse}
	record := func(v float64, count uint64) {
		smaller := min(count, n)
		n -= smaller
		all.RecordN(max(min(v, least), v-by), smaller)
		all.RecordN(v, count-smaller)
	}
	record(t.max, t.over)
	if t.histogram != nil {
		for _, b := range slices.Backward(t.histogram.Distribution()) {
			if b.Count > 0 {
				record(float64(b.From)/trendScale, uint64(b.Count))
			}
		}
	}
	return all
}
