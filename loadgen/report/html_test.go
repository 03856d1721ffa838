package report

import (
	"bytes"
	"encoding/csv"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// watched is a measured run with a course: forty seconds, of which the first
// ten are arrivals, and a second without packets.
func watched() *loadgen.Result {
	r := measured()
	r.Series.Interval = time.Second
	for i := range 40 {
		server, own := 0.5, 0.25
		p := record.Point{
			At: time.Duration(i) * time.Second, Until: time.Duration(i+1) * time.Second,
			Delivered: metric.Rate{Passes: 24_999, Total: 25_000}, Latency: &metric.Trend{},
			Joined: 50 * min(i+1, 10), ServerCPU: &server, GeneratorCPU: &own, ServerRSS: 60 << 20, GeneratorRSS: 40 << 20,
			SendLag: time.Millisecond,
		}
		if i < 10 {
			p.Arrivals, p.Joins = 50, 50
		}
		p.Latency.RecordN(2, 990)
		p.Latency.RecordN(9, 10)
		if i == 20 {
			p.Delivered, p.Latency, p.ServerCPU, p.ServerRSS = metric.Rate{}, nil, nil, 0
		}
		r.Series.Points = append(r.Series.Points, p)
	}
	r.Marks = []record.Mark{
		{At: 0, Kind: record.MarkPhase, Name: record.Arrivals}, {At: 10 * time.Second, Kind: record.MarkPhase, Name: record.Steady},
		{At: 25 * time.Second, Kind: record.MarkEvent, Name: "leave 60 listeners"}, {At: 15 * time.Second, Kind: record.MarkEvent, Name: "promote 1 listener"},
	}
	r.Values.Set("mos", latencies(4.2))
	r.Values.Set("audio_gap", latencies(31))
	for i, step := range metric.JoinSteps[1:8] {
		r.Values.Set("join_step{step:"+step+"}", latencies(float64(i)))
	}
	return r
}

func htmlOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteHTML(&b))
	return b.String()
}

func TestHTMLShowsTheResult(t *testing.T) {
	for _, c := range []struct {
		name       string
		change     func(*loadgen.Result)
		thresholds []string
		says       []string
	}{
		{"a run that passes", nil, []string{"latency", "p(99) < 20ms"}, []string{"PASS", "1 threshold, and all hold", "p(99)=10.89ms"}},
		{"a run that fails", nil, []string{"latency", "p(99) < 2ms", "delivered", "rate > 0.9"}, []string{"FAIL", "1 of 2 thresholds crossed"}},
		{"a threshold that is undecided", func(r *loadgen.Result) { r.Best = metric.Values{"latency": latencies(1)} }, []string{"latency", "p(99) < 2ms"}, []string{"INVALID", ">undecided<", "p(99)=1.00ms…10.89ms", "0 of 1 threshold hold, one is undecided"}},
		{"a run without data", nil, []string{"jitter", "p(99) < 2ms"}, []string{"INVALID", "Why it is invalid", "jitter was not measured"}},
		{"problems on the way", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: "join", Error: "room_full", Count: 3}}
		}, nil, []string{"What went wrong on the way", "join: room_full (3 times)"}},
		{"the events, in the order of time", nil, nil, []string{`15.0 s</span> promote 1 listener</li><li><span class="at">25.0 s</span> leave 60 listeners`}},
		{"every plot", nil, nil, []string{"Arrivals and joins", "Joins, step by step", ">first packet<", "Delivered", "Latency, cumulative", "Longest gap of each listener", "Estimated quality of each listener", "Packets a second", "CPU", "Memory", "Generator&#39;s own lateness"}},
		{"where it took place", func(r *loadgen.Result) { r.Environment.CPU = "a fast one" }, nil, []string{"2 CPUs, a fast one", "2026-11-24 12:00:00 UTC", "<th scope=\"row\">seed</th><td>1</td>"}},
		{"a part of a metric, by its selector", func(r *loadgen.Result) { r.Values.Set("latency{network:3g}", latencies(80)) }, nil, []string{"<code>{network:3g}</code>", ">network:3g<"}},
		{"words of others, as words", func(r *loadgen.Result) { r.Scenario = `<script>alert("x")</script>` }, nil, []string{"&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;"}},
		{"what an aborted run did not judge", func(r *loadgen.Result) {
			crossed, value := false, 8.0
			r.Aborted = &loadgen.Abort{Threshold: thresholds(t, "latency", "p(99) < 2ms")[0], Result: metric.Result{OK: &crossed, Value: &value}, At: 12 * time.Second}
		}, []string{"latency", "p(99) < 2ms", "jitter", "max < 1s"}, []string{"aborted after 12.0 s by latency: p(99) &lt; 2ms", "not judged", "FAIL"}},
		{"every question that has an answer", nil, nil, []string{"Did they get in?", "Did they hear everything?", "How late was it?", "How did it sound?", "What did the server need?", "Can the figures be trusted?"}},
		{"what came of it, in a sentence", func(r *loadgen.Result) {
			r.Values.Set("joined", metric.Rate{Passes: 498, Total: 500})
			loss := &metric.Trend{}
			loss.RecordN(0, 490)
			loss.RecordN(3, 8)
			r.Values.Set("loss", loss)
			r.Values.Set("delivered", metric.Rate{Passes: 99, Total: 100})
		}, nil, []string{"490 of 500 listeners heard everything; 99 % of packets came within"}},
		{"a loss that is too small for its trend is no hearing of everything", func(r *loadgen.Result) {
			r.Values.Set("joined", metric.Rate{Passes: 500, Total: 500})
			loss := &metric.Trend{}
			loss.RecordN(0, 500)
			r.Values.Set("loss", loss)
			r.Values.Set("delivered", metric.Rate{Passes: 999_999, Total: 1_000_000})
		}, nil, []string{"500 of 500 listeners got in, and 99.999% of the packets"}},
		{"what to look at where a threshold is crossed", nil, []string{"latency", "p(99) < 2ms"}, []string{"Look here: compare the groups"}},
		{"the groups, those without a network first", func(r *loadgen.Result) {
			for name, share := range map[string]uint64{"": 100, "3g": 97} {
				r.Groups = append(r.Groups, record.Group{By: "network", Name: name, Values: metric.Values{"delivered": metric.Rate{Passes: share, Total: 100}, "latency": latencies(float64(share))}})
			}
		}, nil, []string{"By network", `<th scope="row">none</th><td data-head="delivered">100%</td>`, `<th scope="row">3g</th><td data-head="delivered">97%</td>`, ">no network<", ">3g<"}},
		{"the rooms, which have no latency of their packets", func(r *loadgen.Result) {
			r.Rooms = 2
			for _, name := range []string{"1", "2"} {
				r.Groups = append(r.Groups, record.Group{By: "room", Name: name, Values: metric.Values{"delivered": metric.Rate{Passes: 9, Total: 10}, "latency_listener": latencies(7)}})
			}
		}, nil, []string{"<h2>By room</h2>", `<th scope="row">2</th><td data-head="delivered">90%</td><td data-head="p(99) of latency, med">`}},
		{"some of many rooms", func(r *loadgen.Result) {
			r.Rooms = 1000
			for _, name := range []string{"7", "4"} {
				r.Groups = append(r.Groups, record.Group{By: "room", Name: name, Values: metric.Values{"delivered": metric.Rate{Passes: 9, Total: 10}}})
			}
		}, nil, []string{"<h2>By room: of 1,000 those that got least</h2>"}},
		{"what can be had again by its command", nil, nil, []string{"Play it again", "earshot run smoke --seed 3"}},
		{"a run of nothing", func(r *loadgen.Result) { *r = loadgen.Result{} }, nil, []string{"INVALID", "no data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := watched()
			if c.change != nil {
				c.change(result)
			}
			judged := Judge(result, thresholds(t, c.thresholds...))
			judged.Command = "earshot run smoke --seed 3"
			html := htmlOf(t, judged)
			for _, s := range c.says {
				assert.True(t, strings.Contains(html, s), s) // Contains would print all of it
			}
		})
	}
}

func TestHTMLIsSelfContained(t *testing.T) {
	html := htmlOf(t, Judge(watched(), thresholds(t, "latency", "p(99) < 20ms")))
	assert.NotContains(t, html, "<script")
	assert.NotContains(t, html, "javascript:")
	assert.NotRegexp(t, regexp.MustCompile(`(?i)\son[a-z]+=`), html)
	for _, link := range regexp.MustCompile(`(?i)(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)`).FindAllStringSubmatch(html, -1) {
		assert.True(t, strings.HasPrefix(link[1], "data:"), link[0])
	}
	assert.NotContains(t, html, "NaN")
	assert.Contains(t, html, `default-src 'none'`)
}

func TestLiveBodyWaitsForData(t *testing.T) {
	result := watched()
	delete(result.Values, "audio_gap")
	var b bytes.Buffer
	require.NoError(t, Live{
		Result: result, Progress: loadgen.Progress{Phase: "steady", Elapsed: 40 * time.Second, InPhase: 30 * time.Second, Hold: time.Minute, Cast: 500, Joined: 500},
		Thresholds: thresholds(t, "latency", "p(99) < 20ms", "latency", "p(99) < 2ms", "audio_gap", "max < 1s"),
	}.WriteBody(&b))
	for _, s := range []string{"RUNNING", "30.0 s of 60.0 s measured", "500 of 500 joined", "✓", "✗", "no data yet"} {
		assert.Contains(t, b.String(), s)
	}
	assert.NotContains(t, b.String(), "<html")
}

func TestCSVHasTheSeries(t *testing.T) {
	var b bytes.Buffer
	run := watched()
	doubted := &run.Series.Points[1]
	doubted.Excused, doubted.Fastest = 1, &metric.Trend{}
	doubted.Fastest.Record(1)
	require.NoError(t, Judge(run, nil).WriteCSV(&b))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 41)
	at := func(line int, name string) string {
		for i, n := range lines[0] {
			if n == name {
				return lines[line][i]
			}
		}
		t.Fatalf("no column %s", name)
		return ""
	}
	assert.Equal(t, "0.000", at(1, "from_s"))
	assert.Equal(t, "500", at(40, "joined"))
	assert.Equal(t, "24999", at(1, "packets_received"))
	assert.Equal(t, "2.000", at(1, "latency_p50_ms"))
	assert.Equal(t, "9.000", at(1, "latency_max_ms"))
	assert.Equal(t, "0.500", at(1, "server_cpu"))
	assert.Equal(t, "24999", at(1, "packets_received_at_best"), "nothing is in doubt")
	assert.Equal(t, "9.000", at(1, "latency_max_at_best_ms"))
	assert.Equal(t, "9.000", at(2, "latency_max_ms"), "the worst case")
	assert.Equal(t, "1.000", at(2, "latency_max_at_best_ms"))
	assert.Equal(t, "25000", at(2, "packets_received_at_best"))
	for _, name := range []string{"latency_p99_ms", "server_cpu", "server_rss"} {
		assert.Empty(t, at(21, name), "what is not known is empty")
	}
	t.Run("and a run without one has its heading", func(t *testing.T) {
		var b bytes.Buffer
		require.NoError(t, Judge(&loadgen.Result{}, nil).WriteCSV(&b))
		assert.Equal(t, 1, strings.Count(b.String(), "\n"))
	})
}

// slowJoins are of a run that took joins of more than a minute for joins.
func slowJoins(t *testing.T) *Report {
	t.Helper()
	run, joins := measured(), &metric.Trend{}
	joins.RecordN(1, 90)
	for i := range 10 {
		joins.Record(61_000 + float64(i)*1000)
	}
	run.Values["join_duration"] = joins
	run.Values["audio_gap"] = joins
	return Judge(run, thresholds(t, "join_duration", "p(95) < 66s", "join_duration", "p(95) < 50s", "join_duration", "p(95) < 71s"))
}

func TestEveryFormatSaysThatAPercentileIsBeyondTheRange(t *testing.T) {
	r := slowJoins(t)
	for _, c := range []struct {
		format string
		write  func(io.Writer) error
		want   []string
	}{
		{"text", r.WriteText, []string{"p(95)=>60.00s p(99)=>60.00s p(99.9)=70.00s max=70.00s", "? p(95) < 66s  undecided: p(95)=60.00s…70.00s", "✗ p(95) < 50s"}},
		{"terminal", func(w io.Writer) error { return r.WriteTerminal(w, Terminal{Width: 80}) }, []string{">60.00"}},
		{"HTML", r.WriteHTML, []string{"&gt;60.00s"}},
		{"JSON", r.WriteJSON, []string{`"beyond_range": true`, `"p(95)": 60000`, `"beyond_range": [`}},
		{"JUnit", r.WriteJUnit, []string{"60.00s…70.00s"}},
	} {
		t.Run(c.format, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, c.write(&b))
			for _, want := range c.want {
				assert.Contains(t, b.String(), want)
			}
		})
	}
	t.Run("and the verdict follows from the bounds", func(t *testing.T) {
		assert.Equal(t, Fail, r.Verdict, "one threshold is crossed at the least that the percentile can be")
		only := Judge(r.Result, thresholds(t, "join_duration", "p(95) < 66s"))
		assert.Equal(t, Invalid, only.Verdict)
		assert.Contains(t, strings.Join(only.Reasons, "\n"), "above 60 s")
		assert.Equal(t, Pass, Judge(r.Result, thresholds(t, "join_duration", "p(95) < 71s")).Verdict)
	})
}

// On paper the page is as narrow as a tablet, and whoever prints it may read in the dark:
// what is made for screens is for them alone.
func TestStyleOfScreensIsNotForPaper(t *testing.T) {
	assert.NotContains(t, Style(), "@media (", "each names its medium")
	assert.Contains(t, Style(), "@media print")
}
