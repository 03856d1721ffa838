package watch

import (
	"math"
	"net"
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// served are figures that are served.
type served struct {
	*Figures
	*Exporter
}

func exporter(t *testing.T) served {
	t.Helper()
	f, err := NewFigures()
	require.NoError(t, err)
	e, err := NewExporter("127.0.0.1:0", f)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return served{f, e}
}

// scrape reads an exporter as Prometheus does.
func scrape(t *testing.T, e served) map[string]*dto.MetricFamily {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(e.URL())
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	for name := range families {
		assert.True(t, strings.HasPrefix(name, metric.PrometheusPrefix), name)
	}
	return families
}

// labels are a metric's, in one string.
func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.GetLabel() {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	return strings.Join(all, ",")
}

func find(f *dto.MetricFamily, want string) *dto.Metric {
	for _, m := range f.GetMetric() {
		if labels(m) == want {
			return m
		}
	}
	return nil
}

func TestExporterShowsALiveRun(t *testing.T) {
	e := exporter(t)
	before := scrape(t, e)
	assert.Len(t, before, 1, "nothing is known yet but the phase")
	assert.NotNil(t, find(before["earshot_run_phase"], "phase=starting"))
	e.Show(about(), snapshot(10), thresholds(t, "latency", "p(99) < 20ms", "latency", "p(99) < 1ms", "mos", "min > 4"))
	f := scrape(t, e)

	latency := find(f["earshot_latency"], "")
	require.NotNil(t, latency)
	assert.EqualValues(t, 1000, latency.GetSummary().GetSampleCount())
	assert.InDelta(t, 4.99, latency.GetSummary().GetQuantile()[0].GetValue(), 0.05)
	assert.NotNil(t, find(f["earshot_latency"], "network=3g"), "a part by its label")
	assert.NotNil(t, find(f["earshot_delivered"], "phase=steady,role=listener"))
	assert.InDelta(t, 0.999, find(f["earshot_delivered"], "").GetGauge().GetValue(), 1e-9)
	assert.EqualValues(t, 1000, find(f["earshot_delivered_samples_total"], "").GetCounter().GetValue())
	assert.InDelta(t, 0.5, find(f["earshot_server_cpu"], "").GetGauge().GetValue(), 1e-9, "of the last interval")
	assert.InDelta(t, 9998, find(f["earshot_packets_per_core"], "").GetGauge().GetValue(), 1)
	assert.EqualValues(t, 10, find(f["earshot_generator_drops"], "").GetCounter().GetValue())
	assert.NotNil(t, find(f["earshot_run_phase"], "phase=steady"))
	ok := f["earshot_run_threshold_ok"]
	assert.EqualValues(t, 1, find(ok, "expression=p(99) < 20ms,metric=latency").GetGauge().GetValue())
	assert.EqualValues(t, 0, find(ok, "expression=p(99) < 1ms,metric=latency").GetGauge().GetValue())
	assert.Len(t, ok.GetMetric(), 2, "one without data is neither")

	t.Run("and its end", func(t *testing.T) {
		run := about()
		run.Values = metric.Values{"mos": snapshot(1).Values["latency"], "server_cpu": metric.Gauge(0.7)}
		e.Finish(report.Judge(run, thresholds(t, "mos", "min > 5")))
		f := scrape(t, e)
		assert.NotNil(t, find(f["earshot_run_verdict"], "verdict=fail"))
		assert.EqualValues(t, 0, find(f["earshot_run_threshold_ok"], "expression=min > 5,metric=mos").GetGauge().GetValue())
		assert.NotNil(t, f["earshot_mos"])
		assert.InDelta(t, 0.7, find(f["earshot_server_cpu"], "").GetGauge().GetValue(), 1e-9)
		assert.NotNil(t, find(f["earshot_run_phase"], "phase=ended"))
	})
}

func TestExporterHasEveryMetric(t *testing.T) {
	e := exporter(t)
	e.Show(about(), complete(), nil)
	f := scrape(t, e)
	for _, d := range metric.Definitions() {
		for _, suffix := range []string{"", "_at_best", "_at_worst"} {
			assert.Contains(t, f, d.PrometheusName()+suffix)
		}
	}
}

// figure is the value of a metric, of a summary its sum.
func figure(m *dto.Metric) float64 {
	switch {
	case m.GetSummary() != nil:
		return m.GetSummary().GetSampleSum()
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	}
	return m.GetGauge().GetValue()
}

func TestExporterHasBothEndsOfEveryMetric(t *testing.T) {
	e := exporter(t)
	s := complete()
	s.Best = metric.Values{}
	for _, d := range metric.Definitions() {
		switch d.Kind {
		case metric.KindTrend:
			faster := &metric.Trend{}
			faster.Record(1)
			s.Best.Set(d.Name, faster)
		case metric.KindRate:
			s.Best.Set(d.Name, metric.Rate{Passes: 10, Total: 10})
		case metric.KindCounter:
			s.Best.Set(d.Name, metric.Counter(1))
		case metric.KindGauge:
			s.Best.Set(d.Name, metric.Gauge(1.25))
		}
	}
	e.Show(about(), s, nil)
	f := scrape(t, e)
	at := func(d metric.Definition, suffix string) float64 {
		m := find(f[d.PrometheusName()+suffix], "")
		require.NotNil(t, m, "%s%s", d.Name, suffix)
		return figure(m)
	}
	for _, d := range metric.Definitions() {
		assert.InDelta(t, at(d, ""), at(d, "_at_worst"), 1e-9, "%s is what it is at worst", d.Name)
		assert.Greater(t, math.Abs(at(d, "_at_worst")-at(d, "_at_best")), 0.01, "%s is another at best", d.Name)
	}
	assert.InDelta(t, 1, find(f["earshot_delivered_at_best"], "").GetGauge().GetValue(), 1e-9)

	s.Best = nil
	e.Show(about(), s, nil)
	f = scrape(t, e)
	for _, d := range metric.Definitions() {
		assert.InDelta(t, at(d, "_at_worst"), at(d, "_at_best"), 1e-9, "%s is not in doubt", d.Name)
	}
}

// complete is a snapshot with every metric of the catalogue.
func complete() loadgen.Snapshot {
	s := snapshot(10)
	for _, d := range metric.Definitions() {
		switch d.Kind {
		case metric.KindTrend:
			s.Values.Set(d.Name, snapshot(1).Values["latency"])
		case metric.KindRate:
			s.Values.Set(d.Name, metric.Rate{Passes: 9, Total: 10})
		case metric.KindCounter:
			s.Values.Set(d.Name, metric.Counter(3))
		case metric.KindGauge:
			s.Values.Set(d.Name, metric.Gauge(1.5))
		}
	}
	return s
}

func TestListenRefusesATakenAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = NewExporter(l.Addr().String(), nil)
	assert.ErrorContains(t, err, l.Addr().String())
	_, err = NewDashboard(l.Addr().String())
	assert.ErrorContains(t, err, l.Addr().String())
}
