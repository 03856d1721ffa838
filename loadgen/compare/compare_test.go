package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// summary is the summary of a run with a latency and a share of lost packets.
func summary(p99 float64, lost int, change ...func(map[string]any)) string {
	s := map[string]any{
		"schema_version": 1, "verdict": "pass",
		"scenario":    map[string]any{"name": "a room", "seed": 1, "driver": "earshot", "rooms": 1, "listeners": 500},
		"environment": map[string]any{"cpus": 2, "arch": "amd64"},
		"metrics": map[string]any{
			"latency":    map[string]any{"kind": "trend", "count": 1000, "med": 2, "p(99)": p99, "p(99.9)": 30},
			"delivered":  map[string]any{"kind": "rate", "rate": 1 - float64(lost)/1e6, "passes": 1_000_000 - lost, "total": 1_000_000},
			"duplicates": map[string]any{"kind": "counter", "count": 0},
			"onset_clip": map[string]any{"kind": "trend", "count": 0, "avg": 0, "p(95)": 0},
		},
	}
	for _, c := range change {
		c(s)
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func runs(t *testing.T, summaries ...string) (all []*Run) {
	t.Helper()
	for i, s := range summaries {
		r, err := Read(strings.NewReader(s))
		require.NoError(t, err)
		r.File = fmt.Sprintf("%d.json", i)
		all = append(all, r)
	}
	return all
}

// latencies are runs with these 99th percentiles.
func latencies(t *testing.T, p99s ...float64) []*Run {
	t.Helper()
	var all []string
	for _, v := range p99s {
		all = append(all, summary(v, 0))
	}
	return runs(t, all...)
}

func TestComparisonTellsChangeFromNoise(t *testing.T) {
	for _, c := range []struct {
		name         string
		base, new    []float64
		sure, untold int
		significant  bool
		worseBy      float64
	}{
		{"all of the new side far above", []float64{10, 11, 12, 10.5}, []float64{20, 21, 22, 23}, 1, 0, true, 1},
		{"all of it far below is better", []float64{20, 21, 22, 23}, []float64{10, 11, 12, 10.5}, 0, 0, true, 0},
		{"two sides that overlap are noise", []float64{10, 30, 20, 40}, []float64{11, 31, 25, 45}, 0, 0, false, 0.12},
		{"a sure change that is small is no regression", []float64{100, 100.1, 100.2, 100.3}, []float64{101, 101.1, 101.2, 101.3}, 0, 0, true, 0.00998},
		{"one run a side can't tell", []float64{10}, []float64{20}, 0, 1, false, 1},
		{"three runs a side can't tell", []float64{10, 11, 12}, []float64{20, 21, 22}, 0, 1, false, 0.909},
		{"one run a side that hardly differs needs no telling", []float64{10}, []float64{10.1}, 0, 0, false, 0.01},
		{"five runs a side that are all the same are no change", []float64{10, 10, 10, 10, 10}, []float64{10, 10, 10, 10, 10}, 0, 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			compared := Of(latencies(t, c.base...), latencies(t, c.new...))
			sure, untold := compared.Regressions(0.05)
			assert.Len(t, sure, c.sure)
			assert.Len(t, untold, c.untold)
			for _, ch := range compared.Changes {
				if ch.Name() == "latency p(99)" {
					assert.Equal(t, c.significant, ch.Significant())
					assert.InDelta(t, c.worseBy, ch.Worse(), 0.01)
				}
			}
		})
	}
}

func TestComparisonOfLossUsesMissed(t *testing.T) {
	var base, now []string
	for i := range 5 {
		base, now = append(base, summary(10, 100+i)), append(now, summary(10, 1000+i))
	}
	sure, _ := Of(runs(t, base...), runs(t, now...)).Regressions(0.05)
	require.Len(t, sure, 1, "of the rate it would be 0.09 %")
	assert.Equal(t, "delivered missed", sure[0].Name())
	assert.InDelta(t, 8.8, sure[0].Worse(), 0.1)

	t.Run("and from none on, any is beyond every share", func(t *testing.T) {
		base := runs(t, summary(10, 0), summary(10, 0), summary(10, 0), summary(10, 0))
		sure, _ := Of(base, runs(t, now...)).Regressions(1000)
		require.Len(t, sure, 1)
		assert.True(t, math.IsInf(sure[0].Worse(), 1))
		assert.Contains(t, sure[0].delta(), "from 0 (p=0.0")
	})
}

func TestComparisonInvalidAndNotes(t *testing.T) {
	invalid := func(s map[string]any) { s["verdict"], s["reasons"] = "invalid", []string{"the generator was late"} }
	without := func(s map[string]any) { delete(s["metrics"].(map[string]any), "latency") }
	empty := func(s map[string]any) {
		s["metrics"].(map[string]any)["latency"].(map[string]any)["count"] = 0
	}
	other := func(s map[string]any) { s["scenario"].(map[string]any)["listeners"] = 5000 }
	for _, c := range []struct {
		name            string
		base, new       string
		invalid, noted  string
		invalids, notes int
	}{
		{"two runs that were played alike", summary(1, 0), summary(1, 0), "", "", 0, 0},
		{"an invalid run", summary(1, 0), summary(1, 0, invalid), "0.json is of an invalid run: the generator was late", "", 1, 0},
		{"an invalid run in the base", summary(1, 0, invalid), summary(1, 0), "invalid run", "", 1, 0},
		{"a metric that the new side lacks", summary(1, 0), summary(1, 0, without), "latency med is in 0 of 1 run of the new side", "", 3, 0},
		{"a metric without samples on the new side", summary(1, 0), summary(1, 0, empty), "latency med", "", 3, 0},
		{"a metric that the base lacks", summary(1, 0, without), summary(1, 0), "", "latency med is in 0 of 1 run of the base", 0, 3},
		{"other scenarios", summary(1, 0), summary(1, 0, other), "", "differ in their listeners: 500, 5000", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			compared := Of(runs(t, c.base), runs(t, c.new))
			assert.Len(t, compared.Invalid, c.invalids)
			assert.Len(t, compared.Notes, c.notes)
			assert.Contains(t, strings.Join(compared.Invalid, "\n"), c.invalid)
			assert.Contains(t, strings.Join(compared.Notes, "\n"), c.noted)
			var b bytes.Buffer
			require.NoError(t, compared.WriteText(&b))
			assert.Contains(t, b.String(), c.noted)
		})
	}
}

func TestReadRejectsWhatIsNoSummary(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"no JSON", "hello", "not a summary"},
		{"another JSON", `{"a": 1}`, "no schema_version"},
		{"another version", summary(1, 0, func(s map[string]any) { s["schema_version"] = 7 }), "schema_version is 7"},
		{"no verdict", summary(1, 0, func(s map[string]any) { s["verdict"] = "great" }), `verdict "great"`},
		{"half a file", summary(1, 0)[:100], "not a summary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text))
			assert.ErrorContains(t, err, c.says)
		})
	}
}

// What is read is anybody's; no text makes it panic, and what it accepts can be
// compared with itself without a change.
func FuzzRead(f *testing.F) {
	f.Add(summary(1, 0))
	f.Add(`{"schema_version":1,"verdict":"pass","metrics":{"latency":{"count":"x"}}}`)
	f.Add(`{"schema_version":1,"verdict":"pass","metrics":{"delivered":{"passes":1,"total":0}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		compared := Of([]*Run{r}, []*Run{r})
		sure, untold := compared.Regressions(0)
		assert.Empty(t, sure)
		assert.Empty(t, untold)
		assert.NoError(t, compared.WriteText(&bytes.Buffer{}))
	})
}
