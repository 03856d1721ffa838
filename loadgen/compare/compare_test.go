package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// summary is the summary of a run with a latency and a number of lost packets of a
// million, both of which have thresholds.
func summary(p99 float64, lost int, change ...func(map[string]any)) string {
	s := map[string]any{
		"schema_version": 1, "verdict": "pass",
		"scenario":    map[string]any{"name": "a room", "seed": 1, "driver": "earshot", "rooms": 1, "listeners": 500},
		"environment": map[string]any{"cpus": 2, "arch": "amd64", "version": "v1"},
		"thresholds": []any{
			map[string]any{"metric": "latency", "expression": "p(99) < 100ms", "value": p99},
			map[string]any{"metric": "delivered", "expression": "rate >= 0.999", "value": 1 - float64(lost)/1e6},
		},
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

// change finds a judged figure.
func change(t *testing.T, c *Comparison, name string) Change {
	t.Helper()
	for _, ch := range c.Judged {
		if ch.Name == name {
			return ch
		}
	}
	require.Fail(t, "not judged: "+name)
	return Change{}
}

var limit5 = Options{Limit: 0.05}

func TestComparisonOutcomes(t *testing.T) {
	for _, c := range []struct {
		name      string
		base, new []float64
		want      Outcome
		estimate  float64
	}{
		{"far worse, four runs a side", []float64{10, 11, 12, 10.5}, []float64{20, 21, 22, 23}, Worse, 0.98},
		{"far worse, three runs a side", []float64{10, 11, 12}, []float64{20, 21, 22}, Worse, 0.91},
		{"far better", []float64{20, 21, 22, 23}, []float64{10, 11, 12, 10.5}, Within, -0.5},
		{"noise larger than the limit", []float64{10, 30, 20, 40}, []float64{11, 31, 25, 45}, Unclear, 0.12},
		{"a sure change that is smaller than the limit", []float64{100, 100.1, 100.2, 100.3}, []float64{101, 101.1, 101.2, 101.3}, Within, 0.01},
		{"one run a side, much worse", []float64{10}, []float64{20}, Unclear, 1},
		{"one run a side, hardly worse", []float64{10}, []float64{10.1}, Unclear, 0.01},
		{"five runs a side that are all the same", []float64{10, 10, 10, 10, 10}, []float64{10, 10, 10, 10, 10}, Within, 0},
		{"values that are all below a hundredth of the limit", []float64{0.1, 0.5, 0.3}, []float64{0.9, 0.2, 0.7}, Within, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			compared := Of(latencies(t, c.base...), latencies(t, c.new...), limit5)
			require.Empty(t, compared.Invalid)
			ch := change(t, compared, "latency p(99)")
			assert.Equal(t, c.want, ch.Outcome, "%+v", ch)
			assert.InDelta(t, c.estimate, ch.Estimate, 0.02)
			assert.LessOrEqual(t, ch.Low, ch.Estimate+1e-9)
			assert.GreaterOrEqual(t, ch.High, ch.Estimate-1e-9)
			assert.Equal(t, c.want, compared.Outcome(), "nothing was lost, so latency decides")
		})
	}
}

func TestComparisonOutcomeOfSeveralFigures(t *testing.T) {
	worse := []string{summary(20, 0), summary(21, 0), summary(22, 0), summary(23, 0)}
	noisy := []string{summary(10, 10), summary(11, 900), summary(10, 20), summary(10, 500)}
	steady := []string{summary(10, 0), summary(10.1, 0), summary(10.2, 0), summary(9.9, 0)}
	assert.Equal(t, Worse, Of(runs(t, steady...), runs(t, worse...), limit5).Outcome())
	c := Of(runs(t, noisy...), runs(t, noisy...), limit5)
	assert.Equal(t, Unclear, c.Outcome())
	assert.NotEmpty(t, c.With(Unclear))
	assert.Equal(t, Within, Of(runs(t, steady...), runs(t, steady...), limit5).Outcome())
}

// A figure that should be high is worse when it is lower.
func TestComparisonOfAFigureThatShouldBeHigh(t *testing.T) {
	with := func(v float64) string {
		return summary(1, 0, func(s map[string]any) {
			s["thresholds"] = []any{map[string]any{"metric": "packets_per_core", "expression": "value > 1000", "value": v}}
			s["metrics"].(map[string]any)["packets_per_core"] = map[string]any{"kind": "gauge", "value": v}
		})
	}
	base := runs(t, with(100_000), with(101_000), with(99_000), with(100_500))
	now := runs(t, with(80_000), with(81_000), with(79_000), with(80_500))
	ch := change(t, Of(base, now, limit5), "packets_per_core")
	assert.Equal(t, Worse, ch.Outcome)
	assert.InDelta(t, -0.2, ch.Estimate, 0.005)
	assert.Less(t, ch.High, -0.05)
	assert.Equal(t, Within, change(t, Of(now, base, limit5), "packets_per_core").Outcome)
}

func TestComparisonOfLossUsesMissed(t *testing.T) {
	var base, now []string
	for i := range 5 {
		base, now = append(base, summary(10, 100+i)), append(now, summary(10, 1000+i))
	}
	ch := change(t, Of(runs(t, base...), runs(t, now...), limit5), "delivered missed")
	assert.Equal(t, Worse, ch.Outcome, "of the rate it would be 0.09 %")
	assert.InDelta(t, 8.8, ch.Estimate, 0.1)

	t.Run("from none", func(t *testing.T) {
		none := runs(t, summary(10, 0), summary(10, 0), summary(10, 0), summary(10, 0))
		ch := change(t, Of(none, runs(t, now...), Options{Limit: 10}), "delivered missed")
		assert.Equal(t, Worse, ch.Outcome)
		assert.Greater(t, ch.Low, 10.0)
	})
	t.Run("one packet of millions is no change", func(t *testing.T) {
		none, one := runs(t, summary(10, 0), summary(10, 0), summary(10, 0)), runs(t, summary(10, 0), summary(10, 1), summary(10, 0))
		assert.Equal(t, Within, change(t, Of(none, one, limit5), "delivered missed").Outcome)
	})
}

// Runs that were played in turn are paired: a drift of the machine that both sides
// share hides no change.
func TestComparisonPairsRunsThatWerePlayedInTurn(t *testing.T) {
	at := func(minute int) func(map[string]any) {
		return func(s map[string]any) {
			s["scenario"].(map[string]any)["began"] = time.Date(2026, 1, 1, 10, minute, 0, 0, time.UTC)
		}
	}
	var base, now, later []string
	for i := range 6 {
		drift := math.Pow(1.5, float64(i))
		base = append(base, summary(10*drift, 0, at(2*i)))
		now = append(now, summary(12*drift, 0, at(2*i+1)))
		later = append(later, summary(12*drift, 0, at(30+i)))
	}
	paired := Of(runs(t, base...), runs(t, now...), limit5)
	assert.True(t, paired.Paired)
	assert.Equal(t, Worse, paired.Outcome())
	apart := Of(runs(t, base...), runs(t, later...), limit5)
	assert.False(t, apart.Paired)
	assert.Equal(t, Unclear, apart.Outcome())
	assert.Contains(t, strings.Join(apart.Notes, " "), "not played in turn")
}

// A quantile that one run has too few samples for is that of all samples of a side.
func TestComparisonPoolsHistogramsOfFewSamples(t *testing.T) {
	with := func(samples ...float64) string {
		trend := &metric.Trend{}
		for _, v := range samples {
			trend.Record(v)
		}
		histogram, err := trend.Histogram()
		require.NoError(t, err)
		return summary(1, 0, func(s map[string]any) {
			p95 := trend.Quantile(95)
			s["thresholds"] = []any{map[string]any{"metric": "join_duration", "expression": "p(95) < 1s", "value": p95}}
			s["metrics"].(map[string]any)["join_duration"] = map[string]any{"kind": "trend", "count": trend.Count(), "p(95)": p95, "histogram": histogram}
		})
	}
	slow := func(n int) (samples []float64) { // n of 20 joins are slow
		for i := range 20 {
			samples = append(samples, 100+float64(i))
			if i < n {
				samples[i] = 300
			}
		}
		return samples
	}
	// Three of sixty joins of the base are slow, all in one run: the 95th percentile of
	// all is fast, whatever that of the run is.
	base := runs(t, with(slow(3)...), with(slow(0)...), with(slow(0)...))
	now := runs(t, with(slow(4)...), with(slow(5)...), with(slow(4)...))
	ch := change(t, Of(base, now, limit5), "join_duration p(95)")
	assert.InDelta(t, 119, ch.Base, 1)
	assert.InDelta(t, 300, ch.New, 1)
	assert.Equal(t, Worse, ch.Outcome)
}

// A figure in doubt is taken at the end that speaks against the call.
func TestComparisonOfFiguresInDoubt(t *testing.T) {
	doubted := func(worst, best float64) string {
		return summary(worst, 0, func(s map[string]any) {
			s["thresholds"] = []any{map[string]any{"metric": "latency", "expression": "p(99) < 100ms", "value": worst, "worst": worst, "best": best}}
			s["best"] = map[string]any{"latency": map[string]any{"kind": "trend", "count": 1000, "p(99)": best}}
		})
	}
	sound := func() []*Run { return latencies(t, 10, 10.1, 10.2, 9.9) }
	now := runs(t, doubted(20, 10), doubted(21, 10.1), doubted(20, 10), doubted(22, 9.9))
	unclear := Of(sound(), now, limit5)
	assert.Equal(t, Unclear, unclear.Outcome(), "at its best it is the same")
	assert.True(t, change(t, unclear, "latency p(99)").Doubted)
	var b bytes.Buffer
	require.NoError(t, unclear.WriteOutcome(&b))
	assert.Contains(t, b.String(), "in doubt")
	now = runs(t, doubted(20, 15), doubted(21, 15.1), doubted(20, 15), doubted(22, 14.9))
	assert.Equal(t, Worse, Of(sound(), now, limit5).Outcome(), "even at its best it is worse")
}

// Of a percentile beyond its histogram's range a summary has bounds: the figure is in doubt.
func TestComparisonOfPercentilesBeyondTheRange(t *testing.T) {
	with := func(expression string, samples ...float64) string {
		trend := &metric.Trend{}
		for _, v := range samples {
			trend.Record(v)
		}
		values := metric.Values{"join_duration": trend}
		threshold, err := metric.ParseThreshold("join_duration", expression)
		require.NoError(t, err)
		result := threshold.Evaluate(values)
		return summary(1, 0, func(s map[string]any) {
			s["metrics"] = values
			s["thresholds"] = []any{map[string]any{"metric": "join_duration", "expression": expression, "value": result.Value, "worst": result.Value, "best": result.Best}}
		})
	}
	many := func(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }
	slow := func(greatest float64) []float64 {
		return append(many(500, 70_000), append(many(500, 100), greatest)...)
	}
	for _, c := range []struct {
		sentence   string
		expression string
		base, now  []float64
		want       Outcome
	}{
		{"one of many samples, and another greatest value", "p(95) < 90s", slow(80_000), slow(100_000), Unclear},
		{"one of many samples, from within the range", "p(95) < 90s", many(1000, 30_000), slow(100_000), Worse},
		{"one of few samples, and another greatest value", "p(50) < 90s", []float64{1, 70_000, 80_000}, []float64{1, 70_000, 100_000}, Unclear},
		{"one of few samples, from within the range", "p(50) < 90s", []float64{1, 30_000, 30_000}, []float64{1, 70_000, 100_000}, Worse},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			base, now := with(c.expression, c.base...), with(c.expression, c.now...)
			compared := Of(runs(t, base, base, base, base), runs(t, now, now, now, now), limit5)
			assert.Equal(t, c.want, compared.Outcome(), "%+v", compared.Judged)
		})
	}
}

func TestComparisonInvalidAndNotes(t *testing.T) {
	invalid := func(s map[string]any) { s["verdict"], s["reasons"] = "invalid", []string{"the generator was late"} }
	without := func(s map[string]any) {
		delete(s["metrics"].(map[string]any), "latency")
		s["thresholds"] = s["thresholds"].([]any)[1:]
	}
	empty := func(s map[string]any) {
		s["metrics"].(map[string]any)["latency"].(map[string]any)["count"] = 0
		s["thresholds"].([]any)[0].(map[string]any)["value"] = nil
	}
	listeners := func(s map[string]any) { s["scenario"].(map[string]any)["listeners"] = 5000 }
	machine := func(s map[string]any) { s["environment"].(map[string]any)["cpus"] = 4 }
	version := func(s map[string]any) { s["environment"].(map[string]any)["version"] = "v2" }
	nothing := func(s map[string]any) { s["thresholds"] = []any{} }
	for _, c := range []struct {
		name           string
		base, new      string
		allow          []string
		invalid, noted string
	}{
		{"two runs that were played alike", summary(1, 0), summary(1, 0), nil, "", ""},
		{"an invalid run", summary(1, 0), summary(1, 0, invalid), nil, "0.json is an invalid run: the generator was late", ""},
		{"an invalid run in the base", summary(1, 0, invalid), summary(1, 0), nil, "invalid run", ""},
		{"a judged metric that the new side lacks", summary(1, 0), summary(1, 0, without), nil, "latency p(99) has data in only 0 of 1 run of the new side", ""},
		{"a judged metric without samples on the new side", summary(1, 0), summary(1, 0, empty), nil, "latency p(99) has data in only 0 of 1 run", ""},
		{"a judged metric that the base lacks", summary(1, 0, without), summary(1, 0), nil, "0 of 1 run of the base", ""},
		{"other scenarios", summary(1, 0), summary(1, 0, listeners), nil, "differ in their number of listeners: 500, 5000; --allow scenario", ""},
		{"other scenarios, allowed", summary(1, 0), summary(1, 0, listeners), []string{"scenario"}, "", "differ in their number of listeners"},
		{"other machines", summary(1, 0), summary(1, 0, machine), nil, "differ in their machine: amd64 with 2 CPUs, amd64 with 4 CPUs; --allow machine", ""},
		{"other versions", summary(1, 0), summary(1, 0, version), []string{"machine"}, "differ in their version of earshot: v1, v2; --allow version", ""},
		{"other versions, allowed", summary(1, 0), summary(1, 0, version), []string{"machine", "version"}, "", "version of earshot"},
		{"no thresholds", summary(1, 0, nothing), summary(1, 0, nothing), nil, "", "nothing is judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			compared := Of(runs(t, c.base), runs(t, c.new), Options{Limit: 0.05, Allow: c.allow})
			assert.Equal(t, c.invalid != "", len(compared.Invalid) > 0, "%v", compared.Invalid)
			assert.Equal(t, c.noted != "", len(compared.Notes) > 0, "%v", compared.Notes)
			assert.Contains(t, strings.Join(compared.Invalid, "\n"), c.invalid)
			assert.Contains(t, strings.Join(compared.Notes, "\n"), c.noted)
			assert.Equal(t, Unclear, compared.Outcome())
			var b bytes.Buffer
			require.NoError(t, compared.WriteText(&b))
			assert.Contains(t, b.String(), c.invalid)
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
		{"a threshold of a metric that does not exist", summary(1, 0, func(s map[string]any) {
			s["thresholds"] = []any{map[string]any{"metric": "lateness", "expression": "p(99) < 1ms"}}
		}), "a threshold that this earshot does not know"},
		{"half a file", summary(1, 0)[:100], "not a summary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text))
			assert.ErrorContains(t, err, c.says)
		})
	}
}

// No text makes Read panic, and a run is never worse than itself.
func FuzzRead(f *testing.F) {
	f.Add(summary(1, 0))
	f.Add(`{"schema_version":1,"verdict":"pass","metrics":{"latency":{"count":"x"}}}`)
	f.Add(`{"schema_version":1,"verdict":"pass","metrics":{"delivered":{"passes":1,"total":0}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		three := []*Run{r, r, r}
		compared := Of(three, three, Options{})
		assert.NotEqual(t, Worse, compared.Outcome())
		assert.NoError(t, compared.WriteText(&bytes.Buffer{}))
	})
}
