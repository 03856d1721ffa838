package metric

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const docs = "../../docs/metrics.md"

var update = flag.Bool("update", false, "write the table of docs/metrics.md anew")

// docsTable is the table of docs/metrics.md.
func docsTable() string {
	var b strings.Builder
	b.WriteString("| metric | kind | unit | selectors | live | meaning |\n|---|---|---|---|---|---|\n")
	for _, d := range Definitions() {
		var selectors []string
		if d.Parts.People {
			selectors = append(selectors, "people")
		}
		if d.Parts.Phases {
			selectors = append(selectors, "phase")
		}
		if d.Parts.Windows {
			selectors = append(selectors, "window")
		}
		if d.Parts.Steps != nil {
			selectors = append(selectors, "step")
		}
		if d.Parts.By != nil {
			selectors = append(selectors, "by")
		}
		live := ""
		if d.Parts.Live {
			live = "yes"
		}
		b.WriteString("|")
		for _, cell := range []string{"`" + d.Name + "`", string(d.Kind), string(d.Unit), strings.Join(selectors, ", "), live, d.Help} {
			b.WriteString(strings.TrimRight(" "+cell, " ") + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// doubtTable is the table of what can be in doubt, by the metric.
func doubtTable() string {
	var b strings.Builder
	b.WriteString("| metric in doubt | by | booked |\n|---|---|---|\n")
	var sure []string
	for _, d := range Definitions() {
		if len(d.Doubt.By) == 0 {
			sure = append(sure, "`"+d.Name+"`")
			continue
		}
		var by []string
		for _, cause := range d.Doubt.By {
			by = append(by, string(cause))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, strings.Join(by, ", "), d.Doubt.Booked)
	}
	fmt.Fprintf(&b, "| %s | nothing | |\n", strings.Join(sure, ", "))
	return b.String()
}

func TestDocsTablesAreGenerated(t *testing.T) {
	read, err := os.ReadFile(docs)
	require.NoError(t, err)
	want := string(read)
	for _, table := range []string{docsTable(), doubtTable()} {
		head, _, _ := strings.Cut(table, "\n")
		before, after, ok := strings.Cut(want, head)
		require.True(t, ok, "the table that begins with %s", head)
		_, after, ok = strings.Cut(after, "\n\n")
		require.True(t, ok)
		want = before + table + "\n" + after
	}
	if *update {
		require.NoError(t, os.WriteFile(docs, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(read), "run go generate ./loadgen/metric")
}

// Each doubt says how it is booked.
func TestEveryDoubtIsBooked(t *testing.T) {
	for _, d := range Definitions() {
		assert.Equal(t, len(d.Doubt.By) == 0, d.Doubt.Booked == "", d.Name)
	}
}

func TestDocsShowTheJSON(t *testing.T) {
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(text), "```json\n")
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
