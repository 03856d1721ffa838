package capacity

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

var update = flag.Bool("update", false, "write the golden files anew")

func condition(t *testing.T, name, expression string) metric.Threshold {
	c, err := metric.ParseThreshold(name, expression)
	require.NoError(t, err)
	return c
}

// step is a run of so many listeners on one machine of two cores.
func step(t *testing.T, load int, latency, server, own float64, lag time.Duration) Step {
	trend := &metric.Trend{}
	for range 100 {
		trend.Record(latency)
	}
	r := report.Judge(&loadgen.Result{
		Values: metric.Values{
			"joined":        metric.Rate{Passes: uint64(load), Total: uint64(load)},
			"delivered":     metric.Rate{Passes: uint64(load) * 500, Total: uint64(load) * 500},
			"join_duration": trend, "latency": trend,
			"server_cpu": metric.Gauge(server), "server_rss": metric.Gauge(float64(load) * 1e5),
			"packets_per_core": metric.Gauge(150_000),
		},
		Generator:   tally.Generator{CPU: own, JoinLag: lag},
		Environment: host.Environment{CPUs: 2},
		Server:      loadgen.Server{Cores: 2, Local: true},
	}, []metric.Threshold{condition(t, "latency", "p(99) < 20ms")})
	return Step{Load: load, Verdict: r.Verdict, Report: r}
}

func TestResultOutputs(t *testing.T) {
	about := About{Scenario: "one talk", Target: "earshot's own server", Vary: Listeners, Until: []metric.Threshold{condition(t, "latency", "p(99) < 20ms")}}
	for _, c := range []struct {
		golden string
		r      *Result
	}{
		{"server.txt", &Result{Plan: Plan{From: 500, To: 8000, Within: 0.05}, Limit: Server, Largest: 1000, Beyond: 2000, Steps: []Step{
			step(t, 500, 2, 0.3, 0.2, 0), step(t, 1000, 8, 0.6, 0.4, 0), step(t, 2000, 45, 1.1, 0.75, 0),
			step(t, 2000, 19, 1.0, 0.7, 0), step(t, 2000, 38, 1.1, 0.7, 0), step(t, 1000, 9, 0.6, 0.4, 0),
		}}},
		{"generator.txt", &Result{Plan: Plan{From: 500, To: 8000}, Limit: Generator, Largest: 500, Beyond: 1000, Steps: []Step{
			step(t, 500, 2, 0.3, 0.2, 0), step(t, 1000, 8, 0.4, 0.5, 300*time.Millisecond),
		}}},
		{"died.txt", &Result{Plan: Plan{From: 500, To: 8000}, Limit: Server, Largest: 500, Beyond: 1000, Steps: []Step{
			step(t, 500, 2, 0.3, 0.2, 0), {Load: 1000, Verdict: report.Fail, Died: true},
		}}},
		{"nothing.txt", &Result{Plan: Plan{From: 500, To: 8000}, Limit: Nothing, Beyond: 500, Steps: []Step{step(t, 500, 30, 0.3, 0.2, 0)}}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, c.r.WriteText(&b, about))
			path := filepath.Join("testdata", c.golden)
			if *update {
				require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./loadgen/capacity -update to make it")
			assert.Equal(t, string(want), b.String())

			var page bytes.Buffer
			require.NoError(t, c.r.WriteHTML(&page, about))
			assert.Contains(t, page.String(), "<svg")
			assert.NotContains(t, page.String(), "<script")

			var doc struct {
				Kind, Verdict, Limit string
				Largest, Beyond      *int
				RanOut               []string `json:"ran_out"`
				Steps                []struct {
					Load    int
					Figures map[string]float64
				}
			}
			b.Reset()
			require.NoError(t, c.r.WriteJSON(&b, about))
			require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
			assert.Equal(t, "capacity", doc.Kind)
			assert.Equal(t, string(c.r.Limit), doc.Limit)
			assert.Len(t, doc.Steps, len(c.r.Steps))
			assert.NotEmpty(t, doc.RanOut)
			assert.Equal(t, c.r.Largest == 0, doc.Largest == nil)
			if c.r.Largest > 0 {
				assert.InDelta(t, 2, doc.Steps[0].Figures["latency p(99)"], 0.01)
			}
		})
	}
}

func TestParseQuantity(t *testing.T) {
	for _, q := range Quantities() {
		parsed, err := ParseQuantity(string(q))
		require.NoError(t, err)
		assert.Equal(t, q, parsed)
		assert.NotEmpty(t, q.Unit())
	}
	_, err := ParseQuantity("lisners")
	assert.ErrorContains(t, err, "did you mean listeners?")
	_, err = ParseQuantity("colours")
	assert.ErrorContains(t, err, "there are listeners, speakers, rooms, arrival-rate")
}

// The generator's cores say nothing about a server on another machine.
func TestRanOutKnowsTheServersMachine(t *testing.T) {
	for _, c := range []struct {
		name        string
		server      loadgen.Server
		serverCPU   float64
		says, never string
	}{
		{
			"one thread of several cores", loadgen.Server{Cores: 8, Local: true, Thread: "mixer", ThreadCores: 0.97}, 1.2,
			"one thread of the server: mixer used 0.97 of a core", "CPU of the server",
		},
		{
			"threads that share the work", loadgen.Server{Cores: 8, Local: true, Thread: "mixer", ThreadCores: 0.4}, 1.2,
			"nothing that was measured", "thread",
		},
		{
			"a thread of a server that has all of its cores", loadgen.Server{Cores: 2, Local: true, Thread: "mixer", ThreadCores: 0.97}, 1.9,
			"CPU of the server: it used 1.90 of 2 cores", "thread",
		},
		{"no memory left", loadgen.Server{Cores: 8, Local: true, Available: 100 << 20, Memory: 8 << 30}, 1, "memory of the machine: 100.0MiB of 8.00GiB were left", "nothing"},
		{"memory to spare", loadgen.Server{Cores: 8, Local: true, Available: 4 << 30, Memory: 8 << 30}, 1, "nothing that was measured", "memory of"},
		{
			"a full network", loadgen.Server{Cores: 8, Link: host.LinkLoad{Name: "eth0", Used: 940e6, Speed: 1e9}}, 1,
			"the network: eth0 of the generator's machine carried 940 of 1000 Mbit/s", "nothing",
		},
		{"a network with room", loadgen.Server{Cores: 8, Link: host.LinkLoad{Name: "eth0", Used: 94e6, Speed: 1e9}}, 1, "nothing that was measured", "network"},
		{
			"a server that dropped packets", loadgen.Server{Cores: 8, Local: true, Drops: map[string]uint64{"full receive buffers of its sockets": 12}}, 1,
			"the server: 12 packets were dropped by full receive buffers of its sockets", "nothing",
		},
		{"the same machine", loadgen.Server{Cores: 2, Local: true}, 1.1, "CPU of the machine: the server used 1.10 and the generator 0.75 of 2 cores", "CPU of the server"},
		{"another machine with cores to spare", loadgen.Server{Cores: 8}, 1.9, "nothing that was measured: the server used 1.90 of 8 cores", "of 2 cores"},
		{"another machine that is full", loadgen.Server{Cores: 8}, 7.5, "CPU of the server: it used 7.50 of 8 cores", "of 2 cores"},
		{"another machine whose cores are unknown", loadgen.Server{}, 1.9, "1.90 cores of a machine whose number of cores is unknown", "of 2 cores"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fails := step(t, 1000, 45, c.serverCPU, 0.75, 0)
			fails.Report.Result.Server = c.server
			r := &Result{Limit: Server, Largest: 500, Beyond: 1000, Steps: []Step{step(t, 500, 2, 0.3, 0.2, 0), fails}}
			said := strings.Join(r.RanOut(), "\n")
			assert.Contains(t, said, c.says)
			assert.NotContains(t, said, c.never)
		})
	}
}

func TestWithJoinedImpliesACondition(t *testing.T) {
	for _, c := range []struct {
		sentence string
		role     scenario.Role
		metric   string
	}{
		{"people listen", scenario.Listener, "joined"},
		{"people only publish", scenario.Speaker, "published"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			implied, err := WithJoined(&scenario.Scenario{Cast: []scenario.Group{{Role: c.role, Count: 1}}})
			require.NoError(t, err)
			require.Len(t, implied.Thresholds, 1)
			assert.Equal(t, c.metric, implied.Thresholds[0].Metric)
			again, err := WithJoined(implied)
			require.NoError(t, err)
			assert.Len(t, again.Thresholds, 1, "a condition of its own overrides it")
		})
	}
}
