package metric

// Sooner is t as it would be if every value were smaller by by, except that no value
// falls below least. Values that are below it already stay.
func (t *Trend) Sooner(by, least float64) *Frozen {
	smaller := func(v float64) float64 { return max(min(v, least), v-by) }
	all := &Trend{coarse: t.coarse}
	if t.histogram != nil {
		for _, b := range t.histogram.Distribution() {
			if b.Count > 0 {
				all.RecordN(smaller(float64(b.From)/trendScale), uint64(b.Count))
			}
		}
	}
	all.RecordN(smaller(t.max), t.over)
	return all.Frozen()
}
