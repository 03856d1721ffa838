package metric

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValuesJSON(t *testing.T) {
	latency := new(Trend)
	latency.RecordN(11.2, 10)
	v := Values{}
	v.Set("latency", latency)
	v.Set("jitter", new(Trend))
	v.Set("delivered", Rate{Passes: 3, Total: 4})
	v.Set("unrecognised", Rate{})
	v.Set("duplicates", Counter(7))
	v.Set("packets_per_core", Gauge(52_000.5))
	v.Set("server_rss", Gauge(1e9))
	v.Set("server_cpu", Gauge(math.NaN()))
	got, err := json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"latency": {"kind": "trend", "unit": "ms", "count": 10, "avg": 11.2, "min": 11.2, "med": 11.2,
			"p(90)": 11.2, "p(95)": 11.2, "p(99)": 11.2, "p(99.9)": 11.2, "max": 11.2, "histogram": [11207, 11207, 11207, 10]},
		"jitter": {"kind": "trend", "unit": "ms", "count": 0, "avg": 0, "min": 0, "med": 0,
			"p(90)": 0, "p(95)": 0, "p(99)": 0, "p(99.9)": 0, "max": 0},
		"delivered": {"kind": "rate", "rate": 0.75, "passes": 3, "total": 4},
		"unrecognised": {"kind": "rate", "rate": 0, "passes": 0, "total": 0},
		"duplicates": {"kind": "counter", "unit": "packets", "count": 7},
		"packets_per_core": {"kind": "gauge", "value": 52000.5},
		"server_rss": {"kind": "gauge", "unit": "bytes", "value": 1000000000}
	}`, unpacked(t, string(got)))
}

func TestValuesThatDoNotFitTheCatalogue(t *testing.T) {
	for name, tt := range map[string]struct {
		values Values
		err    string
	}{
		"a name that no metric has":   {Values{"latencies": new(Trend)}, "there is no metric latencies"},
		"a value of another kind":     {Values{"latency": Counter(3)}, "metric latency is a trend, and its value a counter"},
		"a value that is not a value": {Values{"latency": nil}, "metric latency has a nil value"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.EqualError(t, tt.values.Check(), tt.err)
			_, err := json.Marshal(tt.values)
			assert.ErrorContains(t, err, tt.err)
		})
	}
	assert.NoError(t, Values{"latency": new(Trend), "joined": Rate{}}.Check())
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Definitions() {
		assert.False(t, seen[d.Name], "%s is defined twice", d.Name)
		seen[d.Name] = true
		assert.Regexp(t, `^[a-z][a-z_]*[a-z]$`, d.Name, "it is a name in Prometheus too")
		assert.NotEmpty(t, d.Help)
		assert.NotEmpty(t, d.Hint, "%s has no hint", d.Name)
		assert.Contains(t, Questions(), d.Question, d.Name)
		assert.NotEmpty(t, aggregations[d.Kind], "%s has a kind that no threshold can ask", d.Name)
		got, ok := Lookup(d.Name)
		assert.True(t, ok)
		assert.Equal(t, d, got)
	}
	assert.Len(t, seen, 38)
	Definitions()[0].Name = "mine"
	_, ok := Lookup("joined")
	assert.True(t, ok, "the caller's copy is not the catalogue")
}
