package metric

// Sooner is t as it would be if its n greatest values were smaller by by, except that no
// value falls below least. Values that are below it already stay. Values are to the
// resolution of a trend, and at most what they were.
func (t *Trend) Sooner(by, least float64, n uint64) *Trend {
	all := &Trend{coarse: t.coarse}
	record := func(v float64, count uint64) {
		smaller := min(count, n)
		n -= smaller
		all.RecordN(max(min(v, least), v-by), smaller)
		all.RecordN(v, count-smaller)
	}
	for _, r := range t.falling() {
		record(r.value, r.count)
	}
	return all
}
