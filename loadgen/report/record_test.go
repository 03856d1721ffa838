package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// full is a run in which all that a report can show is there.
func full(t *testing.T) *loadgen.Result {
	r := watched()
	for i := range r.Series.Points {
		if p := &r.Series.Points[i]; p.Latency != nil {
			coarse := metric.NewCoarseTrend()
			coarse.RecordN(2.345, 990)
			coarse.RecordN(987.6, 10)
			p.Latency = coarse
			p.Fastest = metric.NewCoarseTrend()
			p.Fastest.RecordN(1.234, 1000)
			p.Excused = 1
		}
	}
	r.Best = metric.Values{}
	for _, d := range metric.Definitions() {
		switch d.Kind {
		case metric.KindTrend:
			r.Values.Set(d.Name, latencies(5.4321))
			r.Best.Set(d.Name, latencies(4.4))
		case metric.KindRate:
			r.Values.Set(d.Name, metric.Rate{Passes: 997, Total: 1000})
		case metric.KindCounter:
			r.Values.Set(d.Name, metric.Counter(3))
		case metric.KindGauge:
			r.Values.Set(d.Name, metric.Gauge(1.5))
		}
	}
	r.Values.Set("latency{network:3g}", latencies(80))
	r.Values.Set("delivered over 10s", metric.NewWindows())
	for _, name := range []string{"", "3g"} {
		r.Groups = append(r.Groups, record.Group{By: "network", Name: name, Values: metric.Values{"latency": latencies(9), "delivered": metric.Rate{Passes: 9, Total: 10}}, Best: metric.Values{}})
	}
	r.Problems = []problem.Problem{{Doing: "join", Error: "room_full", Count: 3}}
	r.Workers = []loadgen.Worker{{WorkerInfo: link.WorkerInfo{Name: "one", Host: "a"}}, {WorkerInfo: link.WorkerInfo{Name: "two", Host: "b"}, Lost: "said nothing"}}
	r.Losses = tally.Losses{Due: 1000, Lost: 3, Mics: 1, MicsReported: 1, Ears: 2, EarsReported: 2}
	r.Crowd.Listeners, r.Probes.Listeners = listeners(90, 1, 5), listeners(10, 1, 5)
	crossed, value := false, 8.0
	r.Aborted = &loadgen.Abort{Threshold: thresholds(t, "latency", "p(99) < 2ms")[0], Result: metric.Result{OK: &crossed, Value: &value}, At: 12 * time.Second}
	return r
}

func TestReportMadeAgainFromItsSummary(t *testing.T) {
	for name, run := range map[string]*loadgen.Result{"a run with all there can be": full(t), "a plain run": watched(), "a run of nothing": {Environment: measured().Environment}} {
		t.Run(name, func(t *testing.T) {
			r := Judge(run, thresholds(t, "latency", "p(99) < 2ms", "delivered", "rate > 0.5", "jitter", "max < 1s", "latency{network:3g}", "p(99) < 1s"))
			r.Command = "earshot run smoke"
			var summary bytes.Buffer
			require.NoError(t, r.WriteJSON(&summary))
			require.NoError(t, fits(t, summary.Bytes()))
			again, err := Read(bytes.NewReader(summary.Bytes()))
			require.NoError(t, err)
			for form, write := range map[string]func(*Report, io.Writer) error{
				"HTML": (*Report).WriteHTML, "CSV": (*Report).WriteCSV, "JUnit": (*Report).WriteJUnit, "text": (*Report).WriteText,
				"terminal": func(r *Report, w io.Writer) error { return r.WriteTerminal(w, Terminal{Width: 80}) },
			} {
				var want, got bytes.Buffer
				require.NoError(t, write(r, &want))
				require.NoError(t, write(again, &got))
				assert.True(t, want.String() == got.String(), "%s is another", form) // Equal would print both
			}
		})
	}
}

// packedSummary is a summary whose record holds text.
func packedSummary(t testing.TB, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	data, err := json.Marshal(b.Bytes())
	require.NoError(t, err)
	return `{"schema_version": 1, "record": {"version": 1, "data": ` + string(data) + `}}`
}

func TestReadRejects(t *testing.T) {
	for _, c := range []struct{ name, summary, says string }{
		{"what is no JSON", "<html>", "it is no summary"},
		{"another program's JSON", `{"metrics": {}}`, "no schema_version"},
		{"a later form of the summary", `{"schema_version": 2}`, "this earshot reads 1"},
		{"a summary without a record", `{"schema_version": 1}`, "play the run again"},
		{"a later form of the record", `{"schema_version": 1, "record": {"version": 9, "data": ""}}`, "use the earshot that wrote it"},
		{"a record that is not packed", `{"schema_version": 1, "record": {"version": 1, "data": "AAAA"}}`, "unpacked"},
		{"a record that is no JSON", packedSummary(t, "{"), "can't be read"},
		{"a verdict that there is not", packedSummary(t, `{"Verdict": "great"}`), `the verdict "great"`},
		{"a metric that there is not", packedSummary(t, `{"Verdict": "pass", "Values": {"loudness": {"g": 1}}}`), "loudness"},
		{"a metric of another kind", packedSummary(t, `{"Verdict": "pass", "Values": {"latency": {"g": 1}}}`), "latency is a trend"},
		{"a rate of more than all", packedSummary(t, `{"Verdict": "pass", "Values": {"joined": {"r": [3, 2]}}}`), "joined"},
		{"a threshold that can't be", packedSummary(t, `{"Verdict": "pass", "Thresholds": [{"Metric": "latency", "Expression": "soon"}]}`), "its record"},
		{"more points than a run has", packedSummary(t, `{"Verdict": "pass", "Run": {"Series": {"Points": [`+strings.Repeat("{},", maxPoints)+`{}]}}}`), "points"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.summary))
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, Judge(watched(), nil).WriteJSON(&b))
	s, err := Read(&b)
	require.NoError(f, err)
	packed, err := s.recorded()
	require.NoError(f, err)
	r, err := gzip.NewReader(bytes.NewReader(packed.Data))
	require.NoError(f, err)
	text, err := io.ReadAll(r)
	require.NoError(f, err)
	f.Add(string(text))
	f.Add(`{"Verdict": "fail", "Values": {"latency": {"t": {"n": 1, "a": -1, "z": 1e308, "o": 1}}, "mos": {"t": {}}}, "Run": {"Series": {"Points": [{"At": -1, "Latency": {"c": true}}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(strings.NewReader(packedSummary(t, text)))
		if err != nil {
			return
		}
		for _, write := range []func(io.Writer) error{r.WriteHTML, r.WriteCSV, r.WriteJUnit, r.WriteText, func(w io.Writer) error { return r.WriteTerminal(w, Terminal{Width: 40}) }} {
			_ = write(io.Discard) // it may refuse, but must not panic
		}
	})
}
