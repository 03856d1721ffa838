package metric

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDocsNameEveryMetric(t *testing.T) {
	docs, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	text := string(docs)
	for _, d := range Definitions() {
		assert.Contains(t, text, fmt.Sprintf("\n| `%s` | %s | %s", d.Name, d.Kind, d.Unit))
	}
	table := text[:strings.Index(text, "\n### ")]
	assert.Equal(t, len(Definitions()), strings.Count(table, "\n| `"), "and none that there isn't")
}

func TestDocsShowTheJSON(t *testing.T) {
	docs, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(docs), "```json\n")
	require.True(t, ok)
	example, _, ok := strings.Cut(after, "```")
	require.True(t, ok)

	latency := new(Trend)
	latency.Record(1)
	latency.Record(2)
	got, err := json.Marshal(Values{
		"delivered": Rate{Passes: 3, Total: 4}, "latency": latency,
		"duplicates": Counter(0), "packets_per_core": Gauge(52_000.5),
	})
	require.NoError(t, err)
	assert.JSONEq(t, unpacked(t, example), unpacked(t, string(got)))
}

// unpacked is a summary's metrics with the histograms by what they hold: how
// they are compressed may change with the compressor.
func unpacked(t *testing.T, text string) string {
	var metrics map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &metrics))
	for _, m := range metrics {
		packed, ok := m["histogram"].(string)
		if !ok {
			continue
		}
		h, err := hdr.Decode([]byte(packed))
		require.NoError(t, err)
		m["histogram"] = []int64{h.ValueAtPercentile(1), h.ValueAtPercentile(50), h.ValueAtPercentile(99), h.TotalCount()}
	}
	again, err := json.Marshal(metrics)
	require.NoError(t, err)
	return string(again)
}
