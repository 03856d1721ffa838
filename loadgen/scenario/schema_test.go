package scenario

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

const folder = "../../scenarios"

func compiled(t *testing.T) *jsonschema.Schema {
	text, err := Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

// fits validates YAML against the schema as an editor does.
func fits(t *testing.T, s *jsonschema.Schema, src []byte) error {
	data, err := yaml.YAMLToJSON(src)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return s.Validate(doc)
}

var update = flag.Bool("update", false, "write scenarios/schema.json and the table of verbs anew")

func TestSchemaFileIsGenerated(t *testing.T) {
	path := filepath.Join(folder, "schema.json")
	want, err := Schema()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
		return
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(file), "run go generate ./loadgen/scenario")
}

func TestSchemaAndParserAgree(t *testing.T) {
	s := compiled(t)
	for name, src := range map[string]string{
		"the whole format":    whole,
		"the smallest file":   good,
		"a burst":             edit("count: 9", "count: 9, arrive: {shape: burst}"),
		"a host with a mic":   edit("role: listener", "role: host, audio: b.ogg, turns: {talk: 1s}"),
		"an end by the host":  good + "timeline: [{at: 9s, who: host, count: 1, do: end}]",
		"an end by nobody":    good + "timeline: [{at: 9s, do: end}]",
		"a mute of speakers":  good + "timeline: [{at: 0s, who: speaker, do: mute}]",
		"a duration in parts": edit("hold: 9s", "hold: 1h2m3.5s"),
		"a warm-up":           good + "warm_up: 3s",
		"departures":          edit("count: 9", "count: 9, depart: {within: 3s, shape: s-curve}"),
		"a span":              good + "timeline: [{at: 2s, name: storm, for: 3s}]\nthresholds: {'delivered{phase:storm}': rate == 1}",
		"a span with an act":  good + "timeline: [{at: 2s, name: storm, who: listener, do: raise-hand}]",
		"a selector unquoted": good + "thresholds:\n  latency{phase:steady}: p(99) < 3s\n  'delivered{ phase: steady , role:listener}': ['rate == 1 over 2s']",
		"a long threshold":    good + "thresholds:\n  delivered: {threshold: rate == 1, abort_on_fail: true, delay: 3s}",
		"long thresholds":     good + "thresholds:\n  delivered:\n  - rate > 0\n  - threshold: rate > 0.9 over 3s\n    abort_on_fail: true",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("good.yaml", []byte(src))
			assert.NoError(t, err)
			assert.NoError(t, fits(t, s, []byte(src)))
		})
	}
	for name, tt := range bad {
		if !tt.schema {
			continue
		}
		t.Run(name, func(t *testing.T) {
			assert.Error(t, fits(t, s, []byte(tt.src)))
		})
	}
}

// The schema has a pattern for each kind of metric. What the parser takes and
// what it refuses must be the same in both.
func TestSchemaAndParserAgreeOnThresholds(t *testing.T) {
	s := compiled(t)
	expressions := []string{
		"rate >= 0.999", "rate == 1", "rate<.5", "rate > 1.0", "rate >= 1.5", "rate >= 50%", "rate > 1ms",
		"count > 3", " count  ==  0 ", "count > 3ms", "count",
		"value < 3", "value < 512MiB", "value < 5 kB", "value < 3ms",
		"avg < 3ms", "avg < 3", "min >= -3us", "med > 1.5 s", "max < 2m", "max < 9\u00b5s", "max < 9\u03bcs", "max < 9h",
		"p(99) < 20ms", "p(99) < 020ms", "p(099) < 20ms", "p(05.5) < 20ms", "rate >= 00.9", "rate > 01", "count > 03", "value < 05", "rate >= 0.9 over 010s", "rate >= 0.9 over 1m05s", "p(99.9) < 20", "p( 50 ) <= 1s", "p(100) < 1s", "p(100.1) < 1s", "p(0) > 1", "p(-1) > 1", "p() > 1", "p99 > 1ms",
		"p(99) < 1%", "avg < 0.5 %", "max < 3%%", "count < 3%",
		"rate >= 0.999 over 10s", "rate >= 0.5 over 1m30s", "p(99) < 20ms over 10s", "max < 20ms  over  1s", "value < 3 over 10s", "count > 3 over 3s", "value < 5MB over 5s",
		"rate >= 0.999 over", "rate > 0.9 over 10", "over 10s", "rate >= 0.9 over 10s over 10s", "rate > 0.9over 10s", "rate > 0.9 over -1s",
		"p(99) =< 20ms", "p(99) === 20ms", "p(99) = 20ms", "p(99) <", "< 20ms", "", "p(99) < 1e3ms",
	}
	valid := func(name string, threshold any) bool {
		return s.Validate(map[string]any{
			"name": "x", "hold": "9s", "cast": []any{map[string]any{"role": "listener", "count": 1}},
			"thresholds": map[string]any{name: []any{threshold}},
		}) == nil
	}
	for _, d := range metric.Definitions() {
		for _, e := range expressions {
			_, err := metric.ParseThreshold(d.Name, e)
			assert.Equal(t, err == nil, valid(d.Name, e), "%s: %q (parser: %v)", d.Name, e, err)
			assert.Equal(t, err == nil, valid(d.Name, map[string]any{"threshold": e}), "%s: long %q (parser: %v)", d.Name, e, err)
			if err == nil {
				assert.Equal(t, d.Parts.Live, valid(d.Name, map[string]any{"threshold": e, "abort_on_fail": true}), "%s: aborting", d.Name)
			}
		}
		e := map[metric.Kind]string{metric.KindRate: "rate > 0.1", metric.KindTrend: "count > 1", metric.KindCounter: "count > 1", metric.KindGauge: "value > 1"}[d.Kind]
		for _, selector := range []string{
			"{network:3g}", "{role:speaker}", "{phase:steady}", "{phase:steady,network:own}", " { role : host , network:4g,phase:arrivals } ",
			"{step:dns}", "{by:fec}", "{ by : nack }", "{by:red}", "{network:3g, step : ice }", "{step:icing}", "{step:first_audio,step:}",
			"{}", "{phase}", "{phase:}", "{phases:steady}", "{network:a:b}", "{network:3g", "network:3g}",
		} {
			_, err := metric.ParseThreshold(d.Name+selector, e)
			assert.Equal(t, err == nil, valid(d.Name+selector, e), "%s%s (parser: %v)", d.Name, selector, err)
		}
	}
}

func TestScenarioFilesFitTheSchemaAndLoad(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	var names []string
	for _, path := range files {
		names = append(names, filepath.Base(path))
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.True(t, bytes.HasPrefix(src, []byte("# yaml-language-server: $schema=./schema.json\n")))
			assert.Contains(t, string(bytes.SplitN(src, []byte("\nname:"), 2)[0]), "?", "the comment says which question it answers")
			assert.NoError(t, fits(t, s, src))
			parsed, err := Load(path)
			require.NoError(t, err)
			assert.Empty(t, parsed.Warnings)
			measured := map[string]bool{}
			for _, th := range parsed.Thresholds {
				measured[th.Metric] = true
			}
			must := []string{"joined", "delivered", "latency", "join_duration"}
			if parsed.Listeners() == 0 {
				must = []string{"published", "publish_duration", "mic_rtt", "mic_loss", "mic_jitter"}
			}
			for _, name := range must {
				assert.True(t, measured[name], "it has a threshold of %s", name)
			}
		})
	}
	for _, name := range []string{"smoke.yaml", "one-speaker-500.yaml", "one-speaker-5000.yaml", "panel.yaml", "many-rooms.yaml", "ci.yaml"} {
		assert.True(t, slices.Contains(names, name), "%s is there", name)
	}
}

func TestSmokeScenarioTakesLessThan15Seconds(t *testing.T) {
	s, err := Load(filepath.Join(folder, "smoke.yaml"))
	require.NoError(t, err)
	var arrivals time.Duration
	for _, g := range s.Cast {
		arrivals = max(arrivals, g.Arrive.Within.Duration())
	}
	assert.Equal(t, 25, s.Listeners())
	assert.LessOrEqual(t, arrivals+s.Hold.Duration(), 10*time.Second, "and five for the beginning and the end")
}

func TestCIScenarioTakesLessThanHalfAMinute(t *testing.T) {
	s, err := Load(filepath.Join(folder, "ci.yaml"))
	require.NoError(t, err)
	var arrivals, departures time.Duration
	for _, g := range s.Cast {
		arrivals = max(arrivals, g.Arrive.Within.Duration())
		if g.Depart != nil {
			departures = max(departures, g.Depart.Within.Duration())
		}
	}
	assert.LessOrEqual(t, arrivals+s.Hold.Duration()+departures, 20*time.Second, "and ten for the beginning and the end")
	for _, th := range s.Thresholds {
		assert.NotEqual(t, metric.Milliseconds, th.LimitUnit(), "%s: a small machine is not asked for absolute times", th)
	}
}

func TestScenarioRecordingsAreSpeech(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "audio", "*.ogg"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(files), 3)
	for _, path := range files {
		c, err := speech.Load(path)
		require.NoError(t, err)
		t.Logf("%s: %v, %.1f %% of the frames occur once", c.Name, c.Duration(), 100*c.Unique())
		assert.Zero(t, c.Undecoded, c.Name)
		assert.GreaterOrEqual(t, c.Duration(), 20*time.Second, c.Name)
		assert.LessOrEqual(t, c.Duration(), time.Minute, c.Name)
		assert.Greater(t, c.Unique(), 0.95, c.Name)
		bytes, voice := 0, 0
		for _, f := range c.Frames {
			bytes += len(f.Payload)
			if f.Voice {
				voice++
			}
		}
		rate := float64(bytes) * 8 / c.Duration().Seconds()
		assert.InDelta(t, 28_000, rate, 4_500, "%s has 24 to 32 kbit/s", c.Name)
		assert.Greater(t, float64(voice)/float64(len(c.Frames)), 0.6, "%s is mostly speech", c.Name)
	}
}
