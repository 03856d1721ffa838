package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// A column is one of the CSV's, and what it says of an interval; an empty text
// is what is not known.
type column struct {
	name string
	of   func(record.Point) string
}

var columns = []column{
	{"from_s", func(p record.Point) string { return inSeconds(p.At) }},
	{"until_s", func(p record.Point) string { return inSeconds(p.Until) }},
	{"arrivals", func(p record.Point) string { return strconv.Itoa(p.Arrivals) }},
	{"joins", func(p record.Point) string { return strconv.Itoa(p.Joins) }},
	{"joined", func(p record.Point) string { return strconv.Itoa(p.Joined) }},
	{"left", func(p record.Point) string { return strconv.Itoa(p.Left) }},
	{"packets_owed", func(p record.Point) string { return strconv.FormatUint(p.Delivered.Total, 10) }},
	{"packets_received", func(p record.Point) string { return strconv.FormatUint(p.Delivered.Passes, 10) }},
	{"latency_p50_ms", latencyQuantile(50, worst)},
	{"latency_p95_ms", latencyQuantile(95, worst)},
	{"latency_p99_ms", latencyQuantile(99, worst)},
	{"latency_max_ms", latencyQuantile(100, worst)},
	{"server_cpu", func(p record.Point) string { return cores(p.ServerCPU) }},
	{"server_rss", func(p record.Point) string { return memory(p.ServerRSS) }},
	{"generator_cpu", func(p record.Point) string { return cores(p.GeneratorCPU) }},
	{"generator_rss", func(p record.Point) string { return memory(p.GeneratorRSS) }},
	{"generator_drops", func(p record.Point) string { return strconv.FormatUint(p.Drops, 10) }},
	{"generator_send_lag_max_ms", func(p record.Point) string { return decimal(metric.InMilliseconds(p.SendLag)) }},
	// The columns above are of the worst case.
	{"packets_received_at_best", func(p record.Point) string {
		received, _ := p.AtBest()
		return strconv.FormatUint(received.Passes, 10)
	}},
	{"latency_p50_at_best_ms", latencyQuantile(50, best)},
	{"latency_p95_at_best_ms", latencyQuantile(95, best)},
	{"latency_p99_at_best_ms", latencyQuantile(99, best)},
	{"latency_max_at_best_ms", latencyQuantile(100, best)},
}

func worst(p record.Point) *metric.Trend { return p.Latency }

func best(p record.Point) *metric.Trend {
	_, latency := p.AtBest()
	return latency
}

// WriteCSV writes the course of the run (RFC 4180): a line an interval, of a
// second or more in a long run, with times in seconds since the run began. What
// is not known is empty.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	var line []string
	for _, c := range columns {
		line = append(line, c.name)
	}
	_ = out.Write(line) // Error has it
	for _, p := range r.Result.Series.Points {
		line = line[:0]
		for _, c := range columns {
			line = append(line, c.of(p))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

func latencyQuantile(q float64, of func(record.Point) *metric.Trend) func(record.Point) string {
	return func(p record.Point) string {
		latency := of(p)
		if latency == nil || latency.Count() == 0 {
			return ""
		}
		return decimal(latency.Quantile(q))
	}
}

func cores(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v)
}

func memory(v uint64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatUint(v, 10)
}

func inSeconds(d time.Duration) string { return decimal(d.Seconds()) }

// decimal writes a number to a thousandth.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
