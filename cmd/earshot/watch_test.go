package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/report"
)

// announced waits for a line of standard error and returns the address in it.
func announced(t *testing.T, stderr watcher, what string) string {
	t.Helper()
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case line := <-stderr.seen:
			if strings.Contains(line, what) {
				return address.FindString(line)
			}
		case <-timer.C:
			t.Fatalf("%q was not announced", what)
		}
	}
}

// Whatever the verdict is on a busy machine, the dashboard and Prometheus show the run
// and all reports are written.
func TestRunDashboardPrometheusAndReports(t *testing.T) {
	realTime(t)
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	stderr := watcher{seen: make(chan string, 1000)}
	var stdout bytes.Buffer
	done := make(chan error, 1)
	scenario := small(t, "  delivered: [\"rate >= 0.5\", \"rate >= 0.5 over 5s\"]\n  latency{role:listener}: [\"count > 1\"]\n")
	go func() {
		done <- run(t.Context(), []string{"run", scenario, "--hold", "12s", "--prometheus", "127.0.0.1:0", "--dashboard", "127.0.0.1:0",
			"--summary", path("s.json"), "--html", path("r.html"), "--junit", path("j.xml"), "--csv", path("c.csv")}, &stdout, stderr)
	}()
	metrics := announced(t, stderr, "metrics at")
	dashboard := announced(t, stderr, "dashboard at")

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	events, err := client.Get(dashboard + "/events")
	require.NoError(t, err)
	defer events.Body.Close()
	names := []string{"joined", "delivered", "latency", "join_duration", "generator_lag", "server_cpu", "server_rss", "run_phase", "run_recent_packets_per_second", "run_threshold_ok"}
	for missing := names; len(missing) > 0; {
		// The figures come one after another, the last of them late in the hold.
		resp, err := client.Get(metrics)
		require.NoError(t, err, "the run has ended without %q", missing)
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		missing = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return families["earshot_"+name] != nil })
		time.Sleep(50 * time.Millisecond)
	}

	// The page's events end with the run, after its report.
	var bodies strings.Builder
	lines := bufio.NewScanner(events.Body)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		bodies.WriteString(lines.Text() + "\n")
	}
	assert.Contains(t, bodies.String(), "RUNNING")
	running, _, _ := strings.Cut(bodies.String(), "arrivals 0.")
	assert.Contains(t, running, "3 thresholds, and all hold", "those on parts and windows turn while it runs")
	_, end, ended := strings.Cut(bodies.String(), "<h2>Environment</h2>")
	assert.True(t, ended)
	assert.Contains(t, end, "event: end")
	err = <-done
	require.NoError(t, beyondVerdict(err))
	assert.Contains(t, bodies.String(), "arrivals 0.", "what only the report says")

	summary, err := os.ReadFile(path("s.json"))
	require.NoError(t, err)
	fitsSchema(t, summary)
	html, err := os.ReadFile(path("r.html"))
	require.NoError(t, err)
	assert.Contains(t, string(html), "a small room")
	course, err := os.ReadFile(path("c.csv"))
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(course)).ReadAll()
	require.NoError(t, err)
	assert.Greater(t, len(rows), 12, "a line a second")
	junit, err := os.ReadFile(path("j.xml"))
	require.NoError(t, err)
	assert.Contains(t, string(junit), `name="delivered: rate &gt;= 0.5"`)
}

// fitsSchema checks a summary against the published schema.
func fitsSchema(t *testing.T, summary []byte) {
	t.Helper()
	text, err := report.Schema()
	require.NoError(t, err)
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("summary.schema.json", schema))
	s, err := c.Compile("summary.schema.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(summary))
	require.NoError(t, err)
	assert.NoError(t, s.Validate(doc))
}
