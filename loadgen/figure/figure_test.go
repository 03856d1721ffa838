package figure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

func values(t *testing.T) Values {
	t.Helper()
	trend := &metric.Trend{}
	for i := range 100 {
		trend.Record(float64(i + 1))
	}
	return Values{
		"latency": trend, "onset_clip": &metric.Trend{}, "delivered": metric.Rate{Passes: 999, Total: 1000}, "recovered": metric.Rate{},
		"duplicates": metric.Counter(3), "server_cpu": metric.Gauge(1.5),
	}
}

func TestFigureOf(t *testing.T) {
	v := values(t)
	for _, c := range []struct {
		metric, stat, name string
		want               float64
		ok                 bool
	}{
		{"latency", "p(99)", "latency p(99)", 99, true},
		{"latency", "p(99.9)", "latency p(99.9)", 100, true},
		{"latency", "med", "latency med", 50, true},
		{"latency", "p(x)", "latency p(x)", 0, false},
		{"latency", "rate", "latency", 0, false},
		{"onset_clip", "avg", "onset_clip avg", 0, false},
		{"delivered", "rate", "delivered", 0.999, true},
		{"delivered", "missed", "delivered missed", 0.001, true},
		{"recovered", "rate", "recovered", 0, false},
		{"recovered", "missed", "recovered missed", 0, false},
		{"duplicates", "count", "duplicates", 3, true},
		{"server_cpu", "value", "server_cpu", 1.5, true},
		{"server_rss", "value", "server_rss", 0, false},
	} {
		f := Figure{Metric: c.metric, Stat: c.stat}
		t.Run(c.name, func(t *testing.T) {
			got, ok := f.Of(v)
			assert.Equal(t, c.ok, ok)
			if c.ok {
				assert.InDelta(t, c.want, got, 0.11)
			}
			assert.Equal(t, c.name, f.Name())
			_, ok = f.Of(nil)
			assert.False(t, ok)
		})
	}
}

func TestFigureFormat(t *testing.T) {
	for _, c := range []struct {
		f    Figure
		v    float64
		want string
	}{
		{Figure{Stat: "rate", Share: true}, 0.999999, "99.999%"},
		{Figure{Stat: "rate", Share: true}, 1, "100%"},
		{Figure{Stat: metric.Missed, Share: true}, 0.0123, "1.23%"},
		{Figure{Stat: metric.Missed, Share: true}, 0.000002, "2ppm"},
		{Figure{Stat: metric.Missed, Share: true}, 0, "0%"},
		{Figure{Stat: "value", Unit: metric.Cores}, 1.234, "1.23"},
		{Figure{Stat: "p(99)", Unit: metric.Milliseconds}, 12.345, "12.35ms"},
	} {
		assert.Equal(t, c.want, c.f.Format(c.v))
	}
}

func TestAllNamesEveryMetric(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		seen[f.Metric] = true
		assert.Equal(t, []Figure{f}, ByName(f.Name()))
	}
	for _, d := range metric.Definitions() {
		assert.True(t, seen[d.Name], d.Name)
	}
	assert.Empty(t, ByName("no such figure"))
}

// The catalogue grows; what is compared of a metric is a decision.
func TestComparedHasFiguresOfEveryMetric(t *testing.T) {
	for _, d := range metric.Definitions() {
		require.NotEmpty(t, Compared(map[string]bool{d.Name: true}), "%s: which figures are compared, and which way is better?", d.Name)
	}
}

func TestComparedHasPartsAfterTheWhole(t *testing.T) {
	var names []string
	for _, f := range Compared(map[string]bool{"latency{network:3g}": true, "latency": true, "jitter": true}) {
		names = append(names, f.Name())
	}
	assert.Equal(t, []string{
		"latency med", "latency p(99)", "latency p(99.9)",
		"latency{network:3g} med", "latency{network:3g} p(99)", "latency{network:3g} p(99.9)",
		"jitter med", "jitter p(99)",
	}, names)
}
