package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

var update = flag.Bool("update", false, "write the golden files anew")

// latencies is a trend of 10,000 packets with one latency, in ms.
func latencies(ms float64) *metric.Trend {
	t := &metric.Trend{}
	t.RecordN(ms, 10_000)
	return t
}

// measured is a run of 500 listeners in which all went well.
func measured() *loadgen.Result {
	latency, lag := &metric.Trend{}, &metric.Trend{}
	for i := range 1000 {
		latency.Record(1 + float64(i)/100)
		lag.Record(0.2)
	}
	return &loadgen.Result{
		Scenario: "one speaker, 500 listeners", Seed: 1, Driver: "earshot", Target: "http://127.0.0.1:7080",
		Rooms: 1, Speakers: 1, Seats: 500, Began: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		Arrivals: 10 * time.Second, Steady: 30 * time.Second,
		Values: metric.Values{
			"joined":           metric.Rate{Passes: 500, Total: 500},
			"delivered":        metric.Rate{Passes: 999_999, Total: 1_000_000},
			"unrecognised":     metric.Rate{Passes: 0, Total: 1_000_000},
			"latency":          latency,
			"generator_lag":    lag,
			"duplicates":       metric.Counter(0),
			"packets_per_core": metric.Gauge(53_210.4),
			"server_cpu":       metric.Gauge(0.47),
			"server_rss":       metric.Gauge(312 << 20),
		},
		Crowd:       record.Share{Delivered: metric.Rate{Passes: 990_000, Total: 990_000}, Latency: latencies(5)},
		Probes:      record.Share{Delivered: metric.Rate{Passes: 10_000, Total: 10_000}, Latency: latencies(6)},
		Generator:   tally.Generator{CPU: 0.6, CPUs: 2, CPUWait: 0.1, SendLag: 1200 * time.Microsecond, JoinLag: 2 * time.Millisecond, ReadLag: 13 * time.Millisecond},
		Environment: host.Environment{OS: "linux", Arch: "amd64", CPUs: 2, Go: "go1.26"},
	}
}

// listeners is n of them with one share and one mean latency, in ms.
func listeners(n int, delivered, latency float64) (all []record.Heard) {
	for range n {
		all = append(all, record.Heard{Delivered: delivered, Latency: time.Duration(latency * float64(time.Millisecond))})
	}
	return all
}

func thresholds(t *testing.T, pairs ...string) (all []metric.Threshold) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		one, err := metric.ParseThreshold(pairs[i], pairs[i+1])
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

func TestJudge(t *testing.T) {
	tooManyFiles := problem.Problem{Doing: "join", Own: true, Error: "socket: too many open files", Count: 2}
	for _, c := range []struct {
		name    string
		change  func(*loadgen.Result)
		thresh  []string
		verdict Verdict
		reason  string
	}{
		{"a run that holds its thresholds passes", nil, []string{"delivered", "rate >= 0.999", "latency", "p(99) < 20ms"}, Pass, ""},
		{"a run without thresholds passes", nil, nil, Pass, ""},
		{"one threshold crossed fails", nil, []string{"delivered", "rate >= 0.999", "latency", "p(99) < 2ms"}, Fail, ""},
		{"a threshold without data is invalid", nil, []string{"jitter", "p(99) < 20ms"}, Invalid, "no data for jitter"},
		{"a threshold that is crossed outweighs one without data", nil, []string{"jitter", "p(99) < 20ms", "latency", "p(99) < 2ms"}, Fail, ""},
		{"a threshold that holds at best and not at worst is undecided", func(r *loadgen.Result) {
			r.Best = metric.Values{"delivered": metric.Rate{Passes: 1_000_000, Total: 1_000_000}}
			r.Doubts.Drops = 1
		}, []string{"delivered", "rate == 1"}, Invalid, "delivered: rate == 1 is undecided: rate=99.999%…100%"},
		{"a threshold that is crossed at best fails, whatever is in doubt", func(r *loadgen.Result) {
			r.Values["delivered"] = metric.Rate{Passes: 800_000, Total: 1_000_000}
			r.Best = metric.Values{"delivered": metric.Rate{Passes: 900_000, Total: 1_000_000}}
		}, []string{"delivered", "rate >= 0.999"}, Fail, ""},
		{"but not where the generator sent frames so late that packets are taken for others", func(r *loadgen.Result) {
			r.Values["delivered"] = metric.Rate{Passes: 800_000, Total: 1_000_000}
			r.Generator.SendLag, r.Doubts.Latest = 2500*time.Millisecond, 4*time.Second
		}, []string{"delivered", "rate >= 0.999"}, Invalid, "delivered: rate >= 0.999 is undecided"},
		{"one such frame is not enough for that", func(r *loadgen.Result) {
			r.Values["delivered"] = metric.Rate{Passes: 800_000, Total: 1_000_000}
			r.Doubts.Latest = 4 * time.Second
		}, []string{"delivered", "rate >= 0.999"}, Fail, ""},
		{"but for a few duplicates", func(r *loadgen.Result) {
			r.Values["duplicates"], r.Doubts.Latest = metric.Counter(10), 2500*time.Millisecond
		}, []string{"duplicates", "count == 0"}, Invalid, "duplicates: count == 0 is undecided"},
		{"which a generator that is a little late did not make", func(r *loadgen.Result) {
			r.Values["duplicates"], r.Doubts.Latest = metric.Counter(10), 2400*time.Millisecond
		}, []string{"duplicates", "count == 0"}, Fail, ""},
		{"who refused listeners is at fault all the same", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 400, Total: 500}
			r.Generator.SendLag, r.Doubts.Latest = 3*time.Second, 4*time.Second
		}, []string{"joined", "rate == 1"}, Fail, ""},
		{"another room's audio may be a late packet's of this one", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Foreign, r.Elsewhere = metric.Rate{Passes: 2000, Total: 1_000_000}, 2000, 1500
			r.Generator.SendLag, r.Doubts.Latest = 3*time.Second, 4*time.Second
		}, []string{"unrecognised", "rate == 0"}, Invalid, "unrecognised: rate == 0 is undecided"},
		{"copies may be among what the generator dropped", func(r *loadgen.Result) {
			r.Losses = tally.Losses{Due: 1_000_000, Lost: 2000, Generator: tally.Range{Most: 1001}}
		}, []string{"duplicates", "count == 0"}, Invalid, "duplicates: count == 0 is undecided"},
		{"one packet in a thousand says little of the others", func(r *loadgen.Result) {
			r.Losses = tally.Losses{Due: 1_000_000, Lost: 2000, Generator: tally.Range{Most: 1000}}
		}, []string{"duplicates", "count == 0"}, Pass, ""},
		{"what was received is not undone by what was dropped", func(r *loadgen.Result) {
			r.Values["duplicates"], r.Losses = metric.Counter(10), tally.Losses{Due: 1_000_000, Lost: 2000, Generator: tally.Range{Most: 2000}}
		}, []string{"duplicates", "count == 0"}, Fail, ""},
		{"a threshold that holds at worst passes, whatever is in doubt", func(r *loadgen.Result) {
			r.Best = metric.Values{"latency": latencies(1)}
		}, []string{"latency", "p(99) < 20ms"}, Pass, ""},
		{"a threshold that is crossed outweighs one that is undecided", func(r *loadgen.Result) {
			r.Best = metric.Values{"delivered": metric.Rate{Passes: 1_000_000, Total: 1_000_000}}
		}, []string{"delivered", "rate == 1", "latency", "p(99) < 2ms"}, Fail, ""},
		{"listeners who were owed packets and received none fail a threshold without data", func(r *loadgen.Result) {
			r.Values["delivered"] = metric.Rate{Passes: 0, Total: 1000}
			delete(r.Values, "latency")
		}, []string{"latency", "p(99) < 20ms"}, Fail, ""},
		{"audio that nobody sent fails", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Foreign = metric.Rate{Passes: 2000, Total: 1_000_000}, 2000
		}, nil, Fail, "the server plays audio that is not what was sent: 0.2% of the packets"},
		{"what another room sent is named", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Foreign, r.Elsewhere = metric.Rate{Passes: 2000, Total: 1_000_000}, 2000, 1500
		}, nil, Fail, "the server plays another room's audio: 0.2% of the packets"},
		{"time stamps that no player can play by fail", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Mistimed = metric.Rate{Total: 1_000_000}, 200_000
		}, nil, Fail, "the server's RTP time stamps do not follow what it plays: 20% of the packets"},
		{"nor pass where the generator may have done it", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Mistimed, r.PerhapsMistimed = metric.Rate{Total: 1_000_000}, 50_000, 150_000
		}, nil, Invalid, "the RTP time stamps of 20% of the packets do not follow what the server plays"},
		{"and do not where they begin anew now and then", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Mistimed = metric.Rate{Total: 1_000_000}, 50_000
		}, nil, Pass, ""},
		{"a little of it does not", func(r *loadgen.Result) {
			r.Values["unrecognised"], r.Foreign = metric.Rate{Passes: 1000, Total: 1_000_000}, 1000
		}, nil, Pass, ""},
		{"a server that died fails, whatever the thresholds ask", func(r *loadgen.Result) { r.Server.Died = true },
			[]string{"server_rss", "value < 1GiB"}, Fail, "the server's process ended during the run"},
		{"nothing owed is invalid", func(r *loadgen.Result) {
			r.Values["delivered"] = metric.Rate{}
		}, nil, Invalid, "nothing was measured"},
		{"nothing measured at all is invalid", func(r *loadgen.Result) {
			r.Values = metric.Values{}
		}, nil, Invalid, "nothing was measured"},
		{"a timeline that was not played is invalid", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: string(scenario.Promote), Act: true, Error: "stage_full: the stage has no place left", Count: 2}}
		}, nil, Invalid, "promote: stage_full"},
		{"what the server never answered fails, whatever the thresholds ask", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: string(scenario.Mute), Act: true, Unanswered: true, Error: "the server did not answer within 10s", Count: 2}}
		}, nil, Fail, "what the timeline asked for was not answered: mute"},
		{"but not where the generator was at a limit", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: string(scenario.Mute), Act: true, Unanswered: true, Error: "the server did not answer within 10s", Count: 2},
				{Doing: "join", Own: true, Error: "too many open files", Count: 1}}
		}, nil, Invalid, "too many open files"},
		{"a listener who could not join is a matter of the thresholds", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: "join", Error: "room_full", Count: 2}}
		}, nil, Pass, ""},
		{"probes that all lost what nobody of the crowd did are invalid", func(r *loadgen.Result) {
			r.Crowd.Listeners, r.Probes.Listeners = listeners(490, 1, 5), listeners(10, 0.998, 5)
			r.Probes.Delivered = metric.Rate{Passes: 9_980, Total: 10_000}
		}, nil, Invalid, "the probes disagree with the crowd: delivered 99.8% and 100%"},
		{"a loss that strikes some listeners, of whom one is a probe, is judged", func(r *loadgen.Result) {
			r.Crowd.Listeners = append(listeners(441, 1, 5), listeners(49, 0.8, 5)...)
			r.Probes.Listeners = append(listeners(9, 1, 5), listeners(1, 0.8, 5)...)
		}, nil, Pass, ""},
		{"probes that lost what nobody of the crowd did do not hide a threshold that both cross", func(r *loadgen.Result) {
			r.Crowd.Listeners, r.Probes.Listeners = listeners(490, 0.9, 5), listeners(10, 0.8, 5)
			r.Values["delivered"], r.Probes.Delivered = metric.Rate{Passes: 90, Total: 100}, metric.Rate{Passes: 80, Total: 100}
		}, []string{"delivered", "rate >= 0.99"}, Fail, ""},
		{"a crowd that lost what no probe did may be to blame itself", func(r *loadgen.Result) {
			r.Crowd.Listeners, r.Probes.Listeners = listeners(490, 0.9, 5), listeners(10, 1, 5)
			r.Values["delivered"], r.Probes.Delivered = metric.Rate{Passes: 90, Total: 100}, metric.Rate{Passes: 100, Total: 100}
		}, []string{"delivered", "rate >= 0.99"}, Invalid, "delivered: rate >= 0.99 is undecided"},
		{"probes that were all slower than the crowd are invalid", func(r *loadgen.Result) {
			r.Crowd.Listeners, r.Probes.Listeners = listeners(490, 1, 5), listeners(10, 1, 12)
			r.Probes.Latency = latencies(12)
		}, nil, Invalid, "the probes disagree with the crowd: latency p(50) 12.00ms and 5.00ms"},
		{"two probes at two places of a server that serves listeners in turn are judged", func(r *loadgen.Result) {
			for i := range 198 {
				r.Crowd.Listeners = append(r.Crowd.Listeners, listeners(1, 1, float64(i)*0.06)...)
			}
			r.Probes.Listeners = append(listeners(1, 1, 6), listeners(1, 1, 12)...)
		}, nil, Pass, ""},
		{"a generator without descriptors is invalid", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: "join", Own: true, Error: "socket: too many open files", Count: 2}}
		}, nil, Invalid, "at a limit: join: socket: too many open files (2 times)"},
		{"a generator that sends in bursts is invalid", func(r *loadgen.Result) { r.Generator.SendLag = 101 * time.Millisecond }, nil, Invalid, "it sent its frames late"},
		{"a generator that sends some frames late is judged by its intervals", func(r *loadgen.Result) { r.Generator.SendLag = 100 * time.Millisecond }, nil, Pass, ""},
		{"a generator that joins late is invalid", func(r *loadgen.Result) { r.Generator.JoinLag = 251 * time.Millisecond }, nil, Invalid, "it began its joins and acts late"},
		{"a generator that joins just in time is not", func(r *loadgen.Result) { r.Generator.JoinLag = 250 * time.Millisecond }, nil, Pass, ""},
		{"a generator that reads late is invalid", func(r *loadgen.Result) { r.Generator.ReadLag = 251 * time.Millisecond }, nil, Invalid, "it read its packets late"},
		{"a generator that reads just in time is not", func(r *loadgen.Result) { r.Generator.ReadLag = 250 * time.Millisecond }, nil, Pass, ""},
		{"a generator that uses all its cores is invalid", func(r *loadgen.Result) { r.Generator.CPU = 1.81 }, nil, Invalid, "its process used 1.81 of the 2 cores that it may use"},
		{"a generator that leaves a tenth of its cores is not", func(r *loadgen.Result) { r.Generator.CPU = 1.8 }, nil, Pass, ""},
		{"a generator whose one core is used up is invalid, however many the machine has", func(r *loadgen.Result) {
			r.Generator.CPU, r.Generator.CPUs = 0.95, 1
		}, nil, Invalid, "0.95 of the 1 core that it may use"},
		{"a generator that others keep from the cores is invalid", func(r *loadgen.Result) {
			r.Generator.CPU, r.Generator.CPUWait = 0.4, 2.01
		}, nil, Invalid, "2.01 of its threads waited for a core"},
		{"a generator that shares the cores with a busy server is not", func(r *loadgen.Result) {
			r.Generator.CPU, r.Generator.CPUWait = 0.4, 2
		}, nil, Pass, ""},
		{"a generator of which it is not known how many cores it may use is judged by the rest", func(r *loadgen.Result) {
			r.Generator.CPU, r.Generator.CPUs = 4, 0
		}, nil, Pass, ""},
		{"a generator that is the bottleneck does not hide a threshold that is crossed", func(r *loadgen.Result) { r.Generator.CPU = 1.9 }, []string{"latency", "p(99) < 2ms"}, Fail, ""},
		{"a generator that is at a limit where listeners join does not hide a threshold that those cross who got in", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{tooManyFiles}
		}, []string{"latency", "p(99) < 2ms"}, Fail, ""},
		{"nor one that is crossed at best, with who did not get in", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{tooManyFiles, {Doing: "measure the server", Own: true, Error: "open /proc/1/stat: too many open files", Count: 1}}
			r.Values["delivered"] = metric.Rate{Passes: 800_000, Total: 1_000_000}
			r.Best = metric.Values{"delivered": metric.Rate{Passes: 900_000, Total: 1_000_000}}
		}, []string{"delivered", "rate >= 0.999"}, Fail, ""},
		{"of a figure that does not tell who got in apart, nothing is known", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{tooManyFiles}
			r.Values["packets_per_core"] = metric.Gauge(1000)
		}, []string{"packets_per_core", "value > 2000"}, Invalid, "at a limit"},
		{"nor where the server may have met the limit", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: "join", Own: true, Shared: true, Error: "too many open files in system", Count: 2}}
		}, []string{"latency", "p(99) < 2ms"}, Invalid, "at a limit"},
		{"nor where a mic could not be opened", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{tooManyFiles, {Doing: "publish", Own: true, Error: "too many open files", Count: 1}}
		}, []string{"latency", "p(99) < 2ms"}, Invalid, "at a limit"},
		{"nor of a run that was interrupted, which may have come to hold it", func(r *loadgen.Result) { r.Interrupted = true },
			[]string{"latency", "p(99) < 2ms"}, Invalid, "interrupted"},
		{"no limit of its machine makes audio that nobody sent", func(r *loadgen.Result) {
			r.Problems = []problem.Problem{{Doing: "join", Own: true, Error: "socket: too many open files", Count: 2}}
			r.Values["unrecognised"], r.Foreign = metric.Rate{Passes: 2000, Total: 1_000_000}, 2000
		}, nil, Fail, "the server plays audio that is not what was sent"},
		{"no limit of its machine makes a server refuse listeners", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "join", Refused: true, Error: "404 Not Found", Count: 18}, tooManyFiles}
		}, []string{"joined", "rate >= 0.99"}, Fail, "the server refused 18 of 100 listeners, which crosses joined: rate >= 0.99"},
		{"nor refuse them the way they connect", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "connect", Refused: true, Error: "503 Service Unavailable", Count: 18}, tooManyFiles}
		}, []string{"joined", "rate >= 0.99"}, Fail, "the server refused 18 of 100 listeners"},
		{"but a mic that met the limit may", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "join", Refused: true, Error: "404 Not Found", Count: 18},
				{Doing: "publish", Own: true, Error: "socket: too many open files", Count: 1}}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "too many open files"},
		{"nor is it known who was due where the coordinator could not keep up", func(r *loadgen.Result) {
			r.Values["joined"], r.Overrun = metric.Rate{Passes: 80, Total: 100}, "its inbox was full"
			r.Problems = []problem.Problem{{Doing: "join", Refused: true, Error: "404 Not Found", Count: 18}}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "the coordinator could not keep up"},
		{"no limit makes it refuse mics", func(r *loadgen.Result) {
			r.Values["published"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "publish", Refused: true, Error: "503 Service Unavailable", Count: 18}, tooManyFiles}
		}, []string{"published", "rate >= 0.99"}, Fail, "the server refused 18 of 100 mics, which crosses published: rate >= 0.99"},
		{"what it refuses to mics says nothing of listeners", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "publish", Refused: true, Error: "503 Service Unavailable", Count: 18}, tooManyFiles}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "at a limit"},
		{"but listeners whom the machine kept out are not the server's", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 97, Total: 100}
			r.Problems = []problem.Problem{tooManyFiles, {Doing: "join", Refused: true, Error: "room_full", Count: 1}}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "at a limit"},
		{"nor are those to whom the server said nothing", func(r *loadgen.Result) {
			r.Values["joined"] = metric.Rate{Passes: 80, Total: 100}
			r.Problems = []problem.Problem{{Doing: "connect", Error: "no answer", Count: 18}, tooManyFiles}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "at a limit"},
		{"how many were due is not known of a run that was interrupted", func(r *loadgen.Result) {
			r.Values["joined"], r.Interrupted = metric.Rate{Passes: 80, Total: 100}, true
			r.Problems = []problem.Problem{{Doing: "join", Refused: true, Error: "404 Not Found", Count: 20}}
		}, []string{"joined", "rate >= 0.99"}, Invalid, "interrupted"},
		{"a late generator does not hide a refusal either", func(r *loadgen.Result) {
			r.Values["joined"], r.Generator.JoinLag = metric.Rate{Passes: 80, Total: 100}, time.Second
			r.Problems = []problem.Problem{{Doing: "join", Refused: true, Error: "404 Not Found", Count: 20}}
		}, []string{"joined", "rate >= 0.99"}, Fail, ""},
		{"a coordinator that missed what workers told is invalid, by its name", func(r *loadgen.Result) { r.Overrun = "it was late" }, nil, Invalid, "the coordinator could not keep up with the workers: it was late"},
		{"an interrupted run is invalid", func(r *loadgen.Result) { r.Interrupted = true }, nil, Invalid, "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := measured()
			if c.change != nil {
				c.change(result)
			}
			r := Judge(result, thresholds(t, c.thresh...))
			assert.Equal(t, c.verdict, r.Verdict)
			if c.reason == "" {
				assert.Empty(t, r.Reasons)
				return
			}
			require.NotEmpty(t, r.Reasons)
			assert.Contains(t, r.Reasons[0], c.reason)
		})
	}
}

func TestReportSaysHowMuchTheGeneratorDropped(t *testing.T) {
	r := measured()
	r.Losses = tally.Losses{Due: 1_000_000, Lost: 20_000, Generator: tally.Range{Most: 15_000}}
	reasons := strings.Join(Judge(r, thresholds(t, "duplicates", "count == 0")).Reasons, "\n")
	assert.Contains(t, reasons, "of what listeners were due, the generator may have dropped 1.5% (the limit is 0.1%)")
}

func TestTextAndSummaryGolden(t *testing.T) {
	result := measured()
	result.Problems = []problem.Problem{{Doing: "join", Error: "room_full: the room has no seat left", Count: 3}}
	r := Judge(result, thresholds(t, "delivered", "rate >= 0.9999", "latency", "p(99) < 20ms", "latency", "max < 5ms", "jitter", "p(99) < 20ms"))
	var unmeasured []string
	for _, d := range metric.Definitions() {
		if _, measured := result.Values[d.Name]; !measured {
			unmeasured = append(unmeasured, d.Name)
		}
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.txt":   func(b *bytes.Buffer) error { return r.WriteText(b) },
		"summary.json": func(b *bytes.Buffer) error { return r.WriteJSON(b) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, write(&b))
			// The golden file does not list the metrics that were not measured, so
			// that a new one does not change it.
			text := regexp.MustCompile(`"data": "[^"]+"`).ReplaceAllString(b.String(), `"data": "…"`) // packed by whatever gzip there is
			text = strings.ReplaceAll(text, strings.Join(unmeasured, ", "), "{the others}")
			path := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./loadgen/report -update to make it")
			assert.Equal(t, string(want), text)
		})
	}
}

func TestSummaryThresholdWithoutDataIsNull(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Judge(measured(), thresholds(t, "jitter", "p(99) < 20ms")).WriteJSON(&b))
	var s struct {
		Thresholds []map[string]any `json:"thresholds"`
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &s))
	require.Len(t, s.Thresholds, 1)
	ok, there := s.Thresholds[0]["ok"]
	assert.True(t, there)
	assert.Nil(t, ok)
}

func TestPercentUnderOneIsNever100(t *testing.T) {
	for share, want := range map[float64]string{
		1: "100%", 0.999999999: "99.999%", 0.9999: "99.99%", 0.5: "50%", 0: "0%", 0.12345: "12.345%",
	} {
		assert.Equal(t, want, percent(share))
	}
}
