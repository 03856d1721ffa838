package report

import "github.com/earshot-audio/earshot/loadgen/metric"

// SchemaVersion is the version of the summary's form.
const SchemaVersion = schemaVersion

// Figure writes a metric's value with its unit, in three or four digits.
func Figure(v float64, unit metric.Unit) string { return figure(v, unit) }

// Percent writes a share in percent; a share below 1 never reads 100 %.
func Percent(share float64) string { return percent(share) }
