package report

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("summary.schema.json", doc))
	s, err := c.Compile("summary.schema.json")
	require.NoError(t, err)
	return s
}

func fits(t *testing.T, summary []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(summary))
	require.NoError(t, err)
	return compiled(t).Validate(doc)
}

func TestSchemaFileIsGenerated(t *testing.T) {
	const path = "../../docs/summary.schema.json"
	want, err := Schema()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
		return
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(file), "run go generate ./loadgen/report")
}

func TestSummariesFitTheSchema(t *testing.T) {
	for _, c := range []struct {
		name       string
		thresholds []string
		change     func(*loadgen.Result)
	}{
		{"a run that passes", []string{"latency", "p(99) < 20ms"}, nil},
		{"a run without data", []string{"jitter", "p(99) < 20ms"}, nil},
		{"a run with every metric", nil, func(r *loadgen.Result) {
			for _, d := range metric.Definitions() {
				switch d.Kind {
				case metric.KindTrend:
					r.Values.Set(d.Name, latencies(5))
				case metric.KindRate:
					r.Values.Set(d.Name, metric.Rate{Passes: 9, Total: 10})
				case metric.KindCounter:
					r.Values.Set(d.Name, metric.Counter(3))
				case metric.KindGauge:
					r.Values.Set(d.Name, metric.Gauge(1.5))
				}
			}
		}},
		{"a run with problems that was interrupted", nil, func(r *loadgen.Result) {
			r.Interrupted = true
			r.Problems = []problem.Problem{{Doing: "join", Own: true, Error: "too many open files", Count: 2}, {Doing: "promote", Act: true, Error: "stage_full", Count: 1}}
		}},
		{"nothing measured at all", nil, func(r *loadgen.Result) { *r = loadgen.Result{Environment: r.Environment} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := measured()
			if c.change != nil {
				c.change(result)
			}
			var b bytes.Buffer
			require.NoError(t, Judge(result, thresholds(t, c.thresholds...)).WriteJSON(&b))
			assert.NoError(t, fits(t, b.Bytes()))
		})
	}
}

func TestSchemaRefusesWhatIsNoSummary(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Judge(measured(), nil).WriteJSON(&b))
	for _, c := range []struct {
		name   string
		change func(map[string]any)
	}{
		{"another version", func(s map[string]any) { s["schema_version"] = 2 }},
		{"an unknown verdict", func(s map[string]any) { s["verdict"] = "great" }},
		{"a field that is not described", func(s map[string]any) { s["extra"] = 1 }},
		{"a metric without a kind", func(s map[string]any) { s["metrics"].(map[string]any)["latency"] = map[string]any{"count": 1} }},
		{"a missing part", func(s map[string]any) { delete(s, "generator") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s map[string]any
			require.NoError(t, json.Unmarshal(b.Bytes(), &s))
			c.change(s)
			data, err := json.Marshal(s)
			require.NoError(t, err)
			assert.Error(t, fits(t, data))
		})
	}
}
