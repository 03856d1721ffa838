package metric

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseThreshold(t *testing.T) {
	for name, tt := range map[string]struct {
		metric, expression string
		want               Threshold
	}{
		"a rate":                                {"delivered", "rate >= 0.9999", Threshold{Aggregation: AggregateRate, Operator: GreaterEqual, Limit: 0.9999}},
		"a percentile in ms":                    {"latency", "p(99) < 20ms", Threshold{Aggregation: AggregatePercentile, Percentile: 99, Operator: Less, Limit: 20}},
		"a fraction of a percentile in seconds": {"join_duration", "p(99.9)<=1.5s", Threshold{Aggregation: AggregatePercentile, Percentile: 99.9, Operator: LessEqual, Limit: 1500}},
		"space is free":                         {"latency", "\t p( 50 )  !=  2 m ", Threshold{Aggregation: AggregatePercentile, Percentile: 50, Operator: NotEqual, Limit: 120_000}},
		"microseconds in ASCII":                 {"jitter", "avg < 9us", Threshold{Aggregation: AggregateAvg, Operator: Less, Limit: 0.009}},
		"microseconds with the micro sign":      {"jitter", "max < 900\u00b5s", Threshold{Aggregation: AggregateMax, Operator: Less, Limit: 0.9}},
		"microseconds with the Greek letter":    {"jitter", "med > 900\u03bcs", Threshold{Aggregation: AggregateMed, Operator: Greater, Limit: 0.9}},
		"a negative duration":                   {"latency", "min >= -1ms", Threshold{Aggregation: AggregateMin, Operator: GreaterEqual, Limit: -1}},
		"a counter":                             {"generator_drops", "count == 0", Threshold{Aggregation: AggregateCount, Operator: Equal}},
		"the samples of a trend":                {"latency", "count > 1000", Threshold{Aggregation: AggregateCount, Operator: Greater, Limit: 1000}},
		"the samples of a rate":                 {"joined", "count >= 500", Threshold{Aggregation: AggregateCount, Operator: GreaterEqual, Limit: 500}},
		"a gauge without a unit":                {"packets_per_core", "value > 100000", Threshold{Aggregation: AggregateValue, Operator: Greater, Limit: 100_000}},
		"bytes by thousands":                    {"server_rss", "value < 1.5GB", Threshold{Aggregation: AggregateValue, Operator: Less, Limit: 1.5e9}},
		"bytes by 1024":                         {"server_rss", "value < 512 MiB", Threshold{Aggregation: AggregateValue, Operator: Less, Limit: 512 << 20}},
		"bytes alone":                           {"server_rss", "value < 4096", Threshold{Aggregation: AggregateValue, Operator: Less, Limit: 4096}},
		"a network":                             {"latency{network:3g}", "p(99) < 20ms", Threshold{Selector: Selector{Network: "3g"}, Aggregation: AggregatePercentile, Percentile: 99, Operator: Less, Limit: 20}},
		"a window":                              {"delivered", "rate >= 0.999 over 10s", Threshold{Aggregation: AggregateRate, Operator: GreaterEqual, Limit: 0.999, Over: 10 * time.Second}},
		"a window of a phase":                   {"delivered{phase:steady}", "rate >= 0.999  over 1m30s ", Threshold{Selector: Selector{Phase: "steady"}, Aggregation: AggregateRate, Operator: GreaterEqual, Limit: 0.999, Over: 90 * time.Second}},
		"a window of the server":                {"server_cpu", "value<1 over 5s", Threshold{Aggregation: AggregateValue, Operator: Less, Limit: 1, Over: 5 * time.Second}},
		"a trend of plain numbers":              {"mos", "p(5) >= 4.1", Threshold{Aggregation: AggregatePercentile, Percentile: 5, Operator: GreaterEqual, Limit: 4.1}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.Metric, tt.want.Expression = tt.metric, strings.TrimSpace(tt.expression)
			assert.Equal(t, strings.TrimSuffix(tt.metric, tt.want.Selector.String())+tt.want.Selector.String(), tt.metric)
			got, err := ParseThreshold(tt.metric, tt.expression)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestParseThresholdRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ metric, expression, err string }{
		"a misspelt metric":              {"latancy", "p(99) < 20ms", `unknown metric "latancy": did you mean latency?`},
		"two letters swapped":            {"deliverde", "rate > 0.9", `unknown metric "deliverde": did you mean delivered?`},
		"a metric like none":             {"throughput", "rate > 0.9", `unknown metric "throughput": there are joined, join_duration, `},
		"no metric":                      {"", "rate > 0.9", `unknown metric "": there are joined`},
		"no expression":                  {"latency", "  ", `it is empty: write an aggregation`},
		"no operator":                    {"latency", "p(99) 20ms", `it has no operator`},
		"an operator of k6's, not ours":  {"generator_drops", "count === 0", `unknown operator ===: did you mean ==?`},
		"an assignment":                  {"generator_drops", "count = 0", `unknown operator =: did you mean ==?`},
		"an operator turned round":       {"latency", "p(99) =< 20ms", `unknown operator =<: use one of`},
		"no aggregation":                 {"latency", "< 20ms", `it has no aggregation: a trend has avg, min, med, max, p(N), count`},
		"a misspelt aggregation":         {"latency", "agv < 20ms", `unknown aggregation "agv": did you mean avg?`},
		"an aggregation like none":       {"latency", "typical < 20ms", `unknown aggregation "typical": there are avg`},
		"an aggregation's long name":     {"latency", "median < 20ms", `unknown aggregation "median": did you mean med?`},
		"a rate of a trend":              {"latency", "rate < 20ms", `rate does not fit latency, which is a trend: use avg, min`},
		"a percentile of a rate":         {"delivered", "p(99) > 0.9", `p(99) does not fit delivered, which is a rate: use rate, count`},
		"a count of a gauge":             {"server_cpu", "count < 2", `count does not fit server_cpu, which is a gauge: use value`},
		"a percentile without a number":  {"latency", "p() < 20ms", `"p()" is no percentile`},
		"a bare p":                       {"latency", "p < 20ms", `p needs a percentile`},
		"a percentile above 100":         {"latency", "p(101) < 20ms", `"p(101)" is no percentile`},
		"a percentile below 0":           {"latency", "p(-1) < 20ms", `"p(-1)" is no percentile`},
		"a percentile that isn't closed": {"latency", "p(99 < 20ms", `"p(99" is no percentile`},
		"k6's older spelling":            {"latency", "p99 < 20ms", `unknown aggregation "p99": there are`},
		"no value":                       {"latency", "p(99) <", `it has no value after the operator`},
		"a word as the value":            {"latency", "p(99) < fast", `"fast" is no number`},
		"an exponent":                    {"latency", "p(99) < 1e3ms", `1e3ms: it is no decimal number`},
		"a comma for a point":            {"joined", "rate >= 0,999", `0,999: it is no decimal number: write it like 10 or 0.5`},
		"hexadecimal":                    {"joined", "rate >= 0x1", `0x1: it is no decimal number`},
		"grouped digits":                 {"latency", "count > 1_000", `1_000: it is no decimal number`},
		"two values":                     {"latency", "p(99) < 20ms 30ms", `unknown unit "ms 30ms" of a duration`},
		"two operators":                  {"latency", "1ms < p(99) < 20ms", `unknown aggregation "1ms"`},
		"a duration without a unit":      {"latency", "p(99) < 20", `latency is a duration and needs a unit, as in 20ms`},
		"a duration in bytes":            {"latency", "p(99) < 20MB", `unknown unit "MB" of a duration`},
		"a rate with a unit":             {"delivered", "rate > 1ms", `rate of delivered is a plain number: leave out the unit "ms"`},
		"a rate in percent":              {"delivered", "rate > 99.5%", `a rate is a number from 0 to 1: write 0.995 instead of 99.5%`},
		"a rate above 1":                 {"delivered", "rate > 99.99", `a rate is a number from 0 to 1, not 99.99`},
		"a count with a unit":            {"latency", "count > 3ms", `count of latency is a plain number`},
		"bytes in ms":                    {"server_rss", "value < 3ms", `unknown unit "ms" of bytes`},
		"a unit of a plain gauge":        {"server_cpu", "value < 2cores", `leave out the unit "cores"`},
		"a number that is none":          {"latency", "avg < 1.2.3ms", `is no number`},
		"an infinite value":              {"latency", "avg < " + strings.Repeat("9", 400) + "ms", `is no number`},
		"a misspelt metric's part":       {"latancy{network:3g}", "p(99) < 20ms", `unknown metric "latancy": did you mean latency?`},
		"a selector without an end":      {"latency{network:3g", "p(99) < 20ms", `latency{network:3g: the selector has no closing brace`},
		"an empty selector":              {"latency{}", "p(99) < 20ms", `"" is no key:value, like phase:steady`},
		"an unknown key":                 {"latency{room:1}", "p(99) < 20ms", `unknown key "room": did you mean role?`},
		"a key like none":                {"latency{shoe:1}", "p(99) < 20ms", `unknown key "shoe": there are network, transport, node, phase, role`},
		"a key twice":                    {"latency{role:host,role:speaker}", "p(99) < 20ms", `the key role stands there twice`},
		"k6's quotes":                    {`latency{role:"host"}`, "p(99) < 20ms", `"\"host\"" can't be a value`},
		"a part that is not kept":        {"mos{phase:steady}", "avg > 4", `mos is not kept by phase: only delivered, latency, server_cpu, server_rss are`},
		"a window of what is not kept":   {"jitter", "avg < 4ms over 3s", `jitter is not kept over time: only delivered, latency, mos, server_cpu, server_rss are`},
		"a window without a length":      {"latency", "avg < 4ms over", `over is followed by the length of a window`},
		"a window without a unit":        {"latency", "avg < 4ms over 3", `"3" is no length of a window`},
		"a window of part of a second":   {"latency", "avg < 4ms over 1.5s", `a window of 1.5s: it can have whole seconds from 1s to 10m0s`},
		"a window of an hour":            {"latency", "avg < 4ms over 1h", `a window of 1h: it can have whole seconds`},
		"two windows":                    {"latency", "avg < 4ms over 3s over 4s", `over is followed by the length of a window`},
		"a value that overflows":         {"latency", "avg < " + strings.Repeat("9", 308) + "m", `is too large`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseThreshold(tt.metric, tt.expression)
			assert.ErrorContains(t, err, tt.err)
		})
	}
}

func TestEvaluate(t *testing.T) {
	latency := new(Trend)
	for i := range 100 {
		latency.Record(float64(i+1) / 100) // up to 1 ms: exact in the histogram
	}
	values := Values{
		"latency": latency, "join_duration": new(Trend), "jitter": (*Trend)(nil),
		"delivered": Rate{Passes: 999, Total: 1000}, "unrecognised": Rate{},
		"duplicates": Counter(0), "server_cpu": Gauge(1.5), "server_rss": Gauge(math.NaN()),
		"packets_per_core": Counter(3),
	}
	figure := func(v float64) *float64 { return &v }
	for name, tt := range map[string]struct {
		threshold string
		ok        *bool
		value     *float64
		reason    string
	}{
		"a percentile that holds":             {"latency: p(99) <= 990us", new(true), figure(0.99), ""},
		"a percentile that does not":          {"latency: p(99) < 990us", new(false), figure(0.99), ""},
		"an average":                          {"latency: avg > 500us", new(true), figure(0.505), ""},
		"a median":                            {"latency: med == 500us", new(true), figure(0.5), ""},
		"a least value":                       {"latency: min != 10us", new(false), figure(0.01), ""},
		"a greatest value":                    {"latency: max >= 1.01ms", new(false), figure(1), ""},
		"a number of samples":                 {"latency: count >= 100", new(true), figure(100), ""},
		"a rate":                              {"delivered: rate >= 0.999", new(true), figure(0.999), ""},
		"a number of a rate's samples":        {"delivered: count < 1000", new(false), figure(1000), ""},
		"a counter of nothing is data":        {"duplicates: count == 0", new(true), figure(0), ""},
		"a gauge":                             {"server_cpu: value < 1.5", new(false), figure(1.5), ""},
		"a metric that is missing":            {"mos: avg > 4", nil, nil, "mos was not measured"},
		"a trend without samples":             {"join_duration: p(95) < 2s", nil, nil, "join_duration has no samples"},
		"its count, too":                      {"join_duration: count == 0", nil, nil, "join_duration has no samples"},
		"a trend that is nil":                 {"jitter: max < 2s", nil, nil, "jitter has no samples"},
		"a rate of nothing":                   {"unrecognised: rate == 0", nil, nil, "unrecognised has no samples"},
		"a gauge that is no number":           {"server_rss: value < 1GB", nil, nil, "server_rss has no samples"},
		"a value of another kind than stated": {"packets_per_core: value > 1", nil, nil, "metric packets_per_core is a gauge, and its value a counter"},
	} {
		t.Run(name, func(t *testing.T) {
			metric, expression, _ := strings.Cut(tt.threshold, ": ")
			threshold, err := ParseThreshold(metric, expression)
			require.NoError(t, err)
			assert.Equal(t, Result{OK: tt.ok, Value: tt.value, Reason: tt.reason}, threshold.Evaluate(values))
		})
	}
}

func TestZeroThresholdNeverPasses(t *testing.T) {
	assert.Nil(t, Threshold{}.Evaluate(Values{}).OK)
	assert.Nil(t, Threshold{Metric: "duplicates"}.Evaluate(Values{"duplicates": Counter(1)}).OK)
}

func FuzzParseThreshold(f *testing.F) {
	for _, seed := range [][2]string{
		{"delivered", "rate >= 0.9999"}, {"latency", "p(99.9) < 20ms"}, {"latency", "max < 1.5 s"},
		{"server_rss", "value <= 512MiB"}, {"mos", "avg>4"}, {"duplicates", "count==0"},
		{"jitter", "p(0) != -3µs"}, {"latancy", "p99"}, {"joined", "rate > 99%"},
		{"latency{network:3g}", "p(99) < 20ms over 10s"}, {"delivered{ phase:a , role:host}", "rate>=.5 over 1m0s"}, {"server_rss{phase:steady}", "value < 1GB over 10m"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, metric, expression string) {
		threshold, err := ParseThreshold(metric, expression)
		if err != nil {
			require.NotEmpty(t, err.Error())
			require.Zero(t, threshold)
			return
		}
		d, ok := Lookup(threshold.Metric)
		require.True(t, ok)
		of, selector, err := ParseName(threshold.Metric)
		require.NoError(t, err)
		require.Equal(t, d, of)
		require.Equal(t, threshold.Selector, selector)
		require.True(t, threshold.Over == 0 || threshold.Over >= minOver && threshold.Over <= maxOver && d.Parts.Windows)
		source, ok := Lookup(threshold.Source())
		require.True(t, ok)
		require.Equal(t, d, source)
		require.Contains(t, aggregations[d.Kind], threshold.Aggregation)
		require.False(t, math.IsNaN(threshold.Limit) || math.IsInf(threshold.Limit, 0))
		require.True(t, threshold.Percentile >= 0 && threshold.Percentile <= 100)

		// The canonical spelling says the same.
		name, canonical, _ := strings.Cut(threshold.String(), ": ")
		again, err := ParseThreshold(name, canonical)
		require.NoError(t, err)
		again.Expression = threshold.Expression
		require.Equal(t, threshold, again)
	})
}
