package watch

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	boards "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

var updateFile = flag.Bool("update", false, "write the Grafana dashboard")

// grafanaFile is the dashboard, made from the catalogue of metrics.
const grafanaFile = "../../docs/grafana/earshot.json"

// of is what selects the runs that the dashboard's variable names.
const of = `{instance=~"$instance"`

// units are Grafana's names of the catalogue's.
var units = map[metric.Unit]string{
	metric.None: "short", metric.Milliseconds: "ms", metric.Bytes: "bytes", metric.Cores: "none", metric.Packets: "short", metric.Percent: "percent",
}

// A line is a series of a panel.
type line struct{ expression, legend string }

// linesOf are what is drawn of a metric: the worst case, and the best beside it.
func linesOf(d metric.Definition) (all []line) {
	part := ""
	for _, key := range partsOf(d) {
		part += " {{" + key + "}}"
	}
	quantiles := []string{"0.5", "0.95", "0.99"}
	if d.HigherIsBetter() {
		quantiles = []string{"0.5"} // the high ones say nothing of those who are worst off
	}
	for _, end := range []struct{ suffix, legend string }{{"", ""}, {"_at_best", " at best"}} {
		name := d.PrometheusName() + end.suffix
		if d.Kind != metric.KindTrend {
			all = append(all, line{name + of + "}", strings.TrimSpace(strings.TrimSpace(end.legend) + part)})
			continue
		}
		for _, q := range quantiles {
			text := "p(" + strings.TrimPrefix(fmt.Sprintf("%.4g", number(q)*100), "0") + ")"
			if q == "0.5" {
				text = "med"
			}
			all = append(all, line{name + of + `,quantile="` + q + `"}`, text + end.legend + part})
		}
	}
	if d.Kind == metric.KindTrend && d.HigherIsBetter() {
		all = append(all, line{d.PrometheusName() + "_sum" + of + "} / " + d.PrometheusName() + "_count" + of + "}", "avg" + part})
	}
	return all
}

func number(text string) (v float64) {
	_, _ = fmt.Sscan(text, &v) // of the list above
	return v
}

// partsOf are the labels that parts of a metric have.
func partsOf(d metric.Definition) (keys []string) {
	if d.Parts.People {
		keys = append(keys, "network", "role")
	}
	if d.Parts.Phases {
		keys = append(keys, "phase")
	}
	if d.Parts.Steps != nil {
		keys = append(keys, "step")
	}
	if d.Parts.By != nil {
		keys = append(keys, "by")
	}
	return keys
}

// unitOf is a metric's unit in Grafana.
func unitOf(d metric.Definition) string {
	if d.Kind == metric.KindRate {
		return "percentunit"
	}
	return units[d.Unit]
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${source}")}
}

func query(i int, l line) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Expr(l.expression).LegendFormat(l.legend).Datasource(source())
}

// text is a sentence of the catalogue's help.
func text(help string) string { return strings.ToUpper(help[:1]) + help[1:] + "." }

// course is a panel over time.
func course(title, about, unit string, lines ...line) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().Title(title).Description(about).Unit(unit).Datasource(source()).Span(8).Height(8).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti))
	for i, l := range lines {
		p.WithTarget(query(i, l))
	}
	return p
}

// last is a panel of what is known at the end.
func last(title, about, unit string, mode common.BigValueTextMode, width uint32, lines ...line) *stat.PanelBuilder {
	p := stat.NewPanelBuilder().Title(title).Description(about).Unit(unit).Datasource(source()).Span(width).Height(4).
		TextMode(mode).GraphMode(common.BigValueGraphModeNone).ColorMode(common.BigValueColorModeNone).NoValue("–").
		Orientation(common.VizOrientationAuto).ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
	for i, l := range lines {
		q := query(i, l)
		if mode == common.BigValueTextModeName {
			q.Instant() // else there is one of each name that it had
		}
		p.WithTarget(q)
	}
	return p
}

// grafana is the dashboard.
func grafana(t *testing.T) []byte {
	t.Helper()
	b := boards.NewDashboardBuilder("earshot: a run"). //nolint:staticcheck // the form that every Grafana imports
								Uid("earshot-run").Tags([]string{"earshot"}).Editable().
								Timezone("browser").Refresh("5s").Time("now-15m", "now").
								WithVariable(boards.NewDatasourceVariableBuilder("source").Label("Prometheus").Type("prometheus")).
								WithVariable(boards.NewQueryVariableBuilder("instance").Label("Generator").Datasource(source()).
									Query(boards.StringOrMap{String: cog.ToPtr("label_values(earshot_run_phase, instance)")}).
									Refresh(boards.VariableRefreshOnTimeRangeChanged).Multi(true).IncludeAll(true).AllValue(".*")).
								Annotation(boards.NewAnnotationQueryBuilder().Name("Runs").Datasource(source()).Enable(true).IconColor("blue").
									TitleFormat("{{scenario}}").
									Target(query(0, line{"changes(earshot_run_info" + of + "}[1m]) > 0", "{{scenario}}"}))).
								WithRow(boards.NewRowBuilder("The run")).
								WithPanel(last("Verdict", "When the run has ended.", "short", common.BigValueTextModeName, 4, line{"earshot_run_verdict" + of + "}", "{{verdict}}"})).
								WithPanel(last("Phase", "What the run is doing.", "short", common.BigValueTextModeName, 4, line{"earshot_run_phase" + of + "}", "{{phase}}"}))
	for _, name := range []string{"joined", "delivered", "packets_per_core", "generator_drops"} {
		d, ok := metric.Lookup(name)
		require.True(t, ok)
		b.WithPanel(last(spaced(name), text(d.Help), unitOf(d), common.BigValueTextModeValue, 4, linesOf(d)[0]))
	}
	holds := map[string]boards.ValueMappingResult{
		"0": {Text: cog.ToPtr("crossed"), Color: cog.ToPtr("red")}, "1": {Text: cog.ToPtr("holds"), Color: cog.ToPtr("green")},
	}
	b.WithPanel(statetimeline.NewPanelBuilder().Title("Thresholds").Description("With the figures so far; undecided ones are missing.").Datasource(source()).
		Span(24).Height(6).ShowValue(common.VisibilityModeNever).MergeValues(true).
		Mappings([]boards.ValueMapping{{ValueMap: &boards.ValueMap{Type: "value", Options: holds}}}).
		WithTarget(query(0, line{"earshot_run_threshold_ok" + of + "}", "{{metric}}: {{expression}}"}))).
		WithRow(boards.NewRowBuilder("The last interval")).
		WithPanel(course("Listeners", "Those who are to come, and those who have heard something.", "short",
			line{"earshot_run_listeners_cast" + of + "}", "cast"}, line{"earshot_run_listeners_joined" + of + "}", "joined"})).
		WithPanel(course("Delivered", "The share of due packets that came, in the last interval.", "percentunit",
			line{"earshot_run_recent_delivered" + of + "}", "delivered"}, line{"earshot_run_recent_delivered_at_best" + of + "}", "at best"})).
		WithPanel(course("Latency", "Of the packets of the last interval.", "ms", line{"earshot_run_recent_latency" + of + `,quantile="0.5"}`, "med"},
			line{"earshot_run_recent_latency" + of + `,quantile="0.99"}`, "p(99)"}, line{"earshot_run_recent_latency_at_best" + of + `,quantile="0.99"}`, "p(99) at best"},
			line{"earshot_run_recent_latency_max" + of + "}", "max"})).
		WithPanel(course("Packets a second", "Received by listeners.", "short", line{"earshot_run_recent_packets_per_second" + of + "}", "received"})).
		WithPanel(course("Generator's CPU", "Cores that the generator used.", "none", line{"earshot_run_generator_cpu_cores" + of + "}", "generator"})).
		WithPanel(course("Generator's memory", "Resident memory of the generator.", "bytes", line{"earshot_run_generator_rss_bytes" + of + "}", "generator"}))
	for _, q := range metric.Questions() {
		b.WithRow(boards.NewRowBuilder(string(q)))
		for _, d := range metric.Definitions() {
			switch {
			case d.Question != q:
			case d.Parts.Live:
				b.WithPanel(course(spaced(d.Name), text(d.Help), unitOf(d), linesOf(d)...))
			default:
				b.WithPanel(last(spaced(d.Name), text(d.Help+"; known at the end"), unitOf(d), common.BigValueTextModeValueAndName, 8, linesOf(d)...))
			}
		}
	}
	made, err := b.Build()
	require.NoError(t, err)
	for i, p := range made.Panels {
		id := uint32(i + 1)
		if p.RowPanel != nil {
			p.RowPanel.Id = id
		} else {
			p.Panel.Id = &id
		}
	}
	for i := range made.Templating.List { // these are of variables of another kind
		v := &made.Templating.List[i]
		v.Auto, v.AutoMin, v.AutoCount = nil, nil, nil
	}
	file, err := json.MarshalIndent(made, "", " ")
	require.NoError(t, err)
	return append(file, '\n')
}

// spaced is a metric's name as a title.
func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

func TestGrafanaDashboardIsGenerated(t *testing.T) {
	want := grafana(t)
	if *updateFile {
		require.NoError(t, os.WriteFile(grafanaFile, want, 0o644))
		return
	}
	file, err := os.ReadFile(grafanaFile)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(file), "run go generate ./loadgen/watch")
}

// Grafana's own types know every field of the file, and find every value to be one that it
// can have.
func TestGrafanaDashboardFitsItsSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	file, err := os.ReadFile(grafanaFile)
	require.NoError(t, err)
	var d boards.Dashboard //nolint:staticcheck // as above
	require.Empty(t, misfits(t, file, &d))
	require.NoError(t, d.Validate())
	wrong := strings.Replace(string(file), `"legendFormat"`, `"legend_format"`, 1)
	assert.NotEmpty(t, misfits(t, []byte(wrong), &d), "a field that Grafana does not know is found")
}

// misfits reads a dashboard and returns what does not fit.
func misfits(t *testing.T, file []byte, d *boards.Dashboard) cog.BuildErrors { //nolint:staticcheck // as above
	t.Helper()
	err := d.UnmarshalJSONStrict(file)
	var found cog.BuildErrors
	if !errors.As(err, &found) { // it is one even where there are none
		require.NoError(t, err)
	}
	return found
}

var metricName = regexp.MustCompile(`earshot_[a-z0-9_]+`)

// The dashboard draws what is exported, by its names, and every metric of the catalogue.
func TestGrafanaDashboardNamesExportedMetrics(t *testing.T) {
	file, err := os.ReadFile(grafanaFile)
	require.NoError(t, err)
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
		Annotations struct {
			List []struct{ Target struct{ Expr string } }
		}
	}
	require.NoError(t, json.Unmarshal(file, &board))

	e := exporter(t)
	e.Show(about(), complete(), thresholds(t, "latency", "p(99) < 20ms"))
	exported := map[string]bool{"earshot_run_verdict": true} // only when it has ended
	for name, f := range scrape(t, e) {
		exported[name] = true
		if f.GetType() == dto.MetricType_SUMMARY {
			exported[name+"_sum"], exported[name+"_count"] = true, true
		}
	}
	ids, named := map[int]bool{}, map[string]bool{}
	for _, p := range board.Panels {
		assert.False(t, ids[p.ID], "panel %q has another's id", p.Title)
		ids[p.ID] = true
		assert.True(t, p.Type == "row" || len(p.Targets) > 0, p.Title)
		for _, target := range p.Targets {
			names := metricName.FindAllString(target.Expr, -1)
			assert.NotEmpty(t, names, "panel %q", p.Title)
			for _, n := range names {
				assert.True(t, exported[n], "panel %q draws %s, which is not exported", p.Title, n)
				named[n] = true
			}
		}
	}
	for _, a := range board.Annotations.List {
		for _, n := range metricName.FindAllString(a.Target.Expr, -1) {
			assert.True(t, exported[n], n)
		}
	}
	for _, d := range metric.Definitions() {
		name := d.PrometheusName()
		assert.True(t, named[name] && named[name+"_at_best"], "%s is in %v", name, slices.Sorted(maps.Keys(named)))
	}
}
