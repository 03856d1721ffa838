package figure

import (
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// Values is a [Source] of what a run measured in this process.
type Values metric.Values

// OfReport is the source of a run's report; nil for none.
func OfReport(r *report.Report) Source {
	if r == nil {
		return nil
	}
	return Values(r.Result.Values)
}

// Number implements [Source].
func (v Values) Number(name, stat string) (float64, bool) {
	switch value := v[name].(type) {
	case metric.Rate:
		numbers := map[string]float64{"rate": value.Share(), "passes": float64(value.Passes), "total": float64(value.Total)}
		n, ok := numbers[stat]
		return n, ok && value.Total > 0
	case metric.Counter:
		return float64(value), stat == "count"
	case metric.Gauge:
		return float64(value), stat == "value"
	case *metric.Trend:
		return ofTrend(value, stat)
	}
	return 0, false
}

func ofTrend(t *metric.Trend, stat string) (float64, bool) {
	if t == nil || t.Count() == 0 {
		return 0, false
	}
	if text, ok := strings.CutPrefix(stat, "p("); ok {
		p, err := strconv.ParseFloat(strings.TrimSuffix(text, ")"), 64)
		return t.Quantile(p), err == nil && p >= 0 && p <= 100
	}
	s := t.Summary()
	n, ok := map[string]float64{"avg": s.Avg, "min": s.Min, "med": s.Med, "max": s.Max, "count": float64(s.Count)}[stat]
	return n, ok
}
