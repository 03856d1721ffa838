package watch

import (
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// Figures are those of a run as they are now, in the form of Prometheus: what the
// [Exporter] serves, and what is pushed to those who store it.
//
// The metrics of the catalogue have their names and units (a trend is a summary
// with quantiles, a rate a share with its passes and total beside it), and labels
// for the part that they are of; the whole has none. Each has its worst and its best case
// beside it, by _at_worst and _at_best; the figure itself is the worst. What is said of the
// present begins with earshot_run_. Before the run there is only its phase.
//
// They are safe for concurrent use.
type Figures struct {
	registry *prometheus.Registry

	mu         sync.Mutex
	about      *loadgen.Result
	snapshot   loadgen.Snapshot
	thresholds []report.Judgement
	verdict    report.Verdict // empty while the run goes on
}

// NewFigures are the figures of a run that has not begun.
func NewFigures() (*Figures, error) {
	f := &Figures{registry: prometheus.NewRegistry()}
	f.snapshot.Phase = "starting"
	return f, f.registry.Register(f)
}

// Gather implements [prometheus.Gatherer].
func (f *Figures) Gather() ([]*dto.MetricFamily, error) { return f.registry.Gather() }

// Show takes the present state of a run. about has what is known of it beforehand.
func (f *Figures) Show(about *loadgen.Result, s loadgen.Snapshot, thresholds []metric.Threshold) {
	judged := make([]report.Judgement, 0, len(thresholds))
	for _, t := range thresholds {
		judged = append(judged, report.Judgement{Threshold: t, Result: t.EvaluateBetween(s.Values, s.Best)})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.about, f.snapshot, f.thresholds, f.verdict = about, s, judged, ""
}

// Finish takes the figures and the verdict of a run that has ended.
func (f *Figures) Finish(r *report.Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshot.Values, f.snapshot.Best, f.snapshot.Series, f.snapshot.Marks, f.snapshot.Phase = r.Result.Values, r.Result.Best, r.Result.Series, r.Result.Marks, "ended"
	f.thresholds, f.verdict = r.Thresholds, r.Verdict
}

// Describe implements prometheus.Collector: what is there depends on the run.
func (f *Figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f *Figures) Collect(to chan<- prometheus.Metric) {
	f.mu.Lock()
	about, s, thresholds, verdict := f.about, f.snapshot, f.thresholds, f.verdict
	f.mu.Unlock()
	c := collection{to}
	c.gauge("run_phase", "The phase that the run is in: always 1.", 1, "phase", s.Phase)
	if about == nil {
		return
	}
	values := present(s)
	for name, v := range values {
		c.value(name, "", v)
		c.value(name, "_at_worst", v)
		if best, doubted := s.Best[name]; doubted {
			v = best
		}
		c.value(name, "_at_best", v)
	}
	c.run(about, s)
	if n := len(s.Series.Points); n > 0 {
		c.point(s.Series.Points[n-1])
	}
	for _, t := range thresholds {
		if t.OK != nil {
			c.gauge("run_threshold_ok", "Whether a threshold holds with the figures so far: 1 or 0. Without data it is missing.", one(*t.OK),
				"metric", t.Metric, "expression", t.Expression)
		}
	}
	if verdict != "" {
		c.gauge("run_verdict", "The verdict of a run that has ended: always 1.", 1, "verdict", string(verdict))
	}
}

// A collection is the figures of one moment.
type collection struct{ to chan<- prometheus.Metric }

// quantiles are those that a summary has.
var quantiles = []float64{0.5, 0.9, 0.95, 0.99, 0.999}

// cases is what the help of a metric says of a case.
var cases = map[string]string{
	"":          "",
	"_at_worst": ", if all that is in doubt was the server's doing",
	"_at_best":  ", if none of what is in doubt was the server's doing",
}

// value is one case of a metric. The names of the cases are suffixes of the metric's.
func (c collection) value(name, suffix string, v metric.Value) {
	base, _, _ := strings.Cut(name, "{")
	d, ok := metric.Lookup(base)
	labels, okay := selected(name)
	if !ok || !okay {
		return
	}
	name = d.Name + suffix
	help := d.Help + cases[suffix] + "."
	if d.Unit != metric.None {
		help = d.Help + cases[suffix] + ", in " + string(d.Unit) + "."
	}
	switch v := v.(type) {
	case metric.Rate:
		if v.Total > 0 {
			c.gauge(name, help, v.Share(), labels...)
		}
		if v.Total > 0 && suffix == "" {
			c.counter(name+"_passes_total", "The passes of "+name+".", float64(v.Passes), labels...)
			c.counter(name+"_samples_total", "The samples of "+name+".", float64(v.Total), labels...)
		}
	case *metric.Trend:
		c.summary(name, help, v, labels...)
	case metric.Counter:
		if suffix == "" {
			c.counter(name, help, float64(v), labels...)
		} else { // more may come to be excused
			c.gauge(name, help, float64(v), labels...)
		}
	case metric.Gauge:
		c.gauge(name, help, float64(v), labels...)
	}
}

// selected are the labels of a metric's part, by the pairs of its selector. A
// window's worst is no part.
func selected(name string) (labels []string, ok bool) {
	_, selector, has := strings.Cut(name, "{")
	selector, rest, closed := strings.Cut(selector, "}")
	if !has {
		return nil, !strings.Contains(name, " ")
	}
	if !closed || rest != "" {
		return nil, false
	}
	for pair := range strings.SplitSeq(selector, ",") {
		key, value, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, false
		}
		labels = append(labels, strings.TrimSpace(key), strings.TrimSpace(value))
	}
	return labels, true
}

func (c collection) run(about *loadgen.Result, s loadgen.Snapshot) {
	c.gauge("run_info", "What is played: always 1.", 1, "scenario", about.Scenario, "driver", about.Driver, "target", about.Target)
	c.gauge("run_elapsed_seconds", "Time since the run began.", s.Elapsed.Seconds())
	c.gauge("run_listeners_cast", "Listeners that are to come.", float64(s.Cast))
	c.gauge("run_listeners_joined", "Listeners who have heard something.", float64(s.Joined))
}

// point is what the last complete interval held.
func (c collection) point(p record.Point) {
	c.gauge("run_recent_until_seconds", "When the interval ended that the earshot_run_recent metrics are of, since the run began.", p.Until.Seconds())
	received, latency := p.AtBest()
	if p.Delivered.Total > 0 {
		c.gauge("run_recent_delivered", "The share of delivered packets in the last complete interval.", p.Delivered.Share())
		c.gauge("run_recent_delivered_at_best", "The same, if none of what is in doubt was the server's doing.", received.Share())
	}
	if seconds := (p.Until - p.At).Seconds(); seconds > 0 {
		c.gauge("run_recent_packets_per_second", "Media packets received by listeners, a second, in the last complete interval.", float64(p.Delivered.Passes)/seconds)
	}
	if p.Latency != nil {
		c.summary("run_recent_latency", "Latency of the packets of the last complete interval, in ms.", p.Latency)
		c.summary("run_recent_latency_at_best", "The same, if none of what is in doubt was the server's doing.", latency)
	}
	if p.GeneratorCPU != nil {
		c.gauge("run_generator_cpu_cores", "Cores that the generator used in the last complete interval.", *p.GeneratorCPU)
	}
	if p.GeneratorRSS > 0 {
		c.gauge("run_generator_rss_bytes", "The generator's resident memory in the last complete interval.", float64(p.GeneratorRSS))
	}
}

// present are a run's values, with those of the last complete interval where the
// run's own are only known when it has ended.
func present(s loadgen.Snapshot) metric.Values {
	values := maps.Clone(s.Values)
	if values == nil {
		values = metric.Values{}
	}
	set := func(name string, v metric.Value) {
		if _, known := values[name]; !known {
			values.Set(name, v)
		}
	}
	var drops uint64
	for _, p := range s.Series.Points {
		drops += p.Drops
	}
	set("generator_drops", metric.Counter(drops))
	n := len(s.Series.Points)
	if n == 0 {
		return values
	}
	p := s.Series.Points[n-1]
	if p.ServerRSS > 0 {
		set("server_rss", metric.Gauge(p.ServerRSS))
	}
	if seconds := (p.Until - p.At).Seconds(); p.ServerCPU != nil && seconds > 0 {
		set("server_cpu", metric.Gauge(*p.ServerCPU))
		if *p.ServerCPU > 0 {
			set("packets_per_core", metric.Gauge(float64(p.Delivered.Passes)/seconds / *p.ServerCPU))
		}
	}
	return values
}

// send sends a metric, if it could be made: labels come from a scenario's names.
func (c collection) send(m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(prometheus.NewDesc(metric.PrometheusPrefix+"invalid", "A metric that could not be made.", nil, nil), errors.Join(errors.New("a run's metric"), err))
	}
	c.to <- m
}

func (c collection) gauge(name, help string, v float64, labels ...string) {
	names, values := unzip(labels)
	c.send(prometheus.NewConstMetric(prometheus.NewDesc(metric.PrometheusPrefix+name, help, names, nil), prometheus.GaugeValue, v, values...))
}

func (c collection) counter(name, help string, v float64, labels ...string) {
	names, values := unzip(labels)
	c.send(prometheus.NewConstMetric(prometheus.NewDesc(metric.PrometheusPrefix+name, help, names, nil), prometheus.CounterValue, v, values...))
}

func (c collection) summary(name, help string, t *metric.Trend, labels ...string) {
	if t == nil || t.Count() == 0 {
		return
	}
	at := map[float64]float64{}
	for _, q := range quantiles {
		at[q] = t.Quantile(100 * q)
	}
	names, values := unzip(labels)
	s := t.Summary()
	c.send(prometheus.NewConstSummary(prometheus.NewDesc(metric.PrometheusPrefix+name, help, names, nil), s.Count, s.Avg*float64(s.Count), at, values...))
	c.gauge(name+"_max", "The greatest sample of "+name+".", s.Max, labels...)
}

func unzip(labels []string) (names, values []string) {
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	return names, values
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
