// Package metric holds the metrics of a run: what there is to measure, the
// values that were measured, and the thresholds that decide on them.
//
// The catalogue is closed. The same names are used in scenarios, in the summary's
// JSON and, with a prefix, in Prometheus, so that a misspelt one is found
// before anything starts. Absent data is never zero: a threshold over a metric
// that was not measured has no verdict.
//
// The aggregations that a threshold can ask for depend on the metric's kind:
//
//	kind     aggregations                          limit
//	rate     rate count                            rate: a number from 0 to 1; count: a number
//	trend    avg min med max p(N) count            in the metric's unit; count: a number
//	counter  count                                 a number
//	gauge    value                                 in the metric's unit
//
// The count of a rate or of a trend is its number of samples. Limits on
// durations always carry a unit (us, µs, ms, s or m), limits on bytes may carry
// one (B, kB, KB, MB, GB by thousands; KiB, MiB, GiB by 1024), limits on shares
// in percent may carry %, and all other limits are plain numbers.
package metric

//go:generate go test -run ^TestDocsTablesAreGenerated$ . -update
