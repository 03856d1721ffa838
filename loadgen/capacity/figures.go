package capacity

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Figure is a number of a metric that is followed over the loads.
type Figure struct {
	Name string // as in thresholds: latency p(99)
	Unit metric.Unit
	of   func(metric.Values) (float64, bool)
}

// Of is the figure of a step; false if it was not measured.
func (f Figure) Of(s Step) (float64, bool) {
	if s.Report == nil {
		return 0, false
	}
	return f.of(s.Report.Result.Values)
}

// Figures are what is followed: of each metric of the catalogue what tells the
// most, in its order.
func Figures() (all []Figure) {
	for _, d := range metric.Definitions() {
		switch d.Kind {
		case metric.KindRate:
			all = append(all, Figure{d.Name, metric.None, func(v metric.Values) (float64, bool) {
				r, ok := v[d.Name].(metric.Rate)
				return r.Share(), ok && r.Total > 0
			}})
		case metric.KindCounter:
			all = append(all, Figure{d.Name, d.Unit, func(v metric.Values) (float64, bool) {
				n, ok := v[d.Name].(metric.Counter)
				return float64(n), ok
			}})
		case metric.KindGauge:
			all = append(all, Figure{d.Name, d.Unit, func(v metric.Values) (float64, bool) {
				g, ok := v[d.Name].(metric.Gauge)
				return float64(g), ok
			}})
		case metric.KindTrend:
			for _, q := range []float64{50, 95, 99} {
				all = append(all, Figure{fmt.Sprintf("%s p(%v)", d.Name, q), d.Unit, func(v metric.Values) (float64, bool) {
					t, ok := v[d.Name].(*metric.Trend)
					if !ok || t.Count() == 0 {
						return 0, false
					}
					return t.Quantile(q), true
				}})
			}
		}
	}
	return all
}
