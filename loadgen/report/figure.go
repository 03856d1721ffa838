package report

import "github.com/earshot-audio/earshot/loadgen/metric"

// SchemaVersion is the version of the summary's form.
const SchemaVersion = schemaVersion

// Figure writes a metric's value with its unit, in three or four digits.
func Figure(v float64, unit metric.Unit) string { return figure(v, unit) }
