package report

import (
	"github.com/earshot-audio/earshot/loadgen/plot"

	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// for the page

//go:embed page.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// Style is the style sheet of the page.
func Style() string { return pageStyle + chart.CSS }

// A page is what the template shows.
type page struct {
	Name, Lead, What, Where string
	Tone, Sign, Word        string
	// Held says how many thresholds hold.
	Held, HeldTone string
	// Now is the state of a run that is still going on.
	Now         string
	Reasons     []string
	Thresholds  []thresholdRow
	Tiles       []tile
	Groups      []groupTable
	Sections    []section
	Without     []string // the metrics that have no data
	Doubted     bool
	Events      []eventRow
	Problems    []string
	Command     string
	Environment []fact
	Version     string
	Style       template.CSS
}

type (
	thresholdRow struct{ Tone, Sign, Word, Metric, Expression, Was, Hint string }
	tile         struct{ Name, Value, Note string }
	eventRow     struct{ At, Name string }
	fact         struct{ Name, Value string }
)

const (
	// noData is shown where nothing was measured.
	noData    = "no data"
	notJudged = "not judged: the run was aborted"
)

// WriteHTML writes the report as one page that needs nothing else: no script, no
// font, no network.
func (r *Report) WriteHTML(w io.Writer) error { return r.writePage(w, "page", nil) }

// WriteBody writes what is in the page's body, for a page that has [Style].
func (r *Report) WriteBody(w io.Writer) error { return r.writePage(w, "body", nil) }

// WriteThresholds writes the page's table of thresholds, for a page that has [Style]; nothing
// if there are none.
func (r *Report) WriteThresholds(w io.Writer) error {
	t, err := parsePage()
	if err != nil || len(r.Thresholds) == 0 {
		return err
	}
	return t.ExecuteTemplate(w, "thresholds", r.thresholdRows(false))
}

func parsePage() (*template.Template, error) {
	t, err := template.New("").Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("the report's page: %w", err)
	}
	return t, nil
}

func (r *Report) writePage(w io.Writer, name string, live *Live) error {
	t, err := parsePage()
	if err != nil {
		return err
	}
	p, err := r.page(live)
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, p)
}

func (r *Report) page(live *Live) (*page, error) {
	run := r.Result
	p := &page{
		Name: run.Scenario,
		What: fmt.Sprintf("%s, %s, %s, against %s at %s", count(run.Rooms, "room"), count(run.Speakers, "speaker"), count(run.Seats, "listener"), run.Driver, run.Target),
		Sign: map[Verdict]string{Pass: "✓", Fail: "✗", Invalid: "?"}[r.Verdict], Word: strings.ToUpper(string(r.Verdict)),
		Tone:    map[Verdict]string{Pass: "good", Fail: "bad", Invalid: "doubt"}[r.Verdict],
		Reasons: r.Reasons, Tiles: r.tiles(), Groups: r.groupTables(), Command: r.Command, Environment: r.environment(),
		Doubted: len(run.Best) > 0, Version: run.Environment.Version, Style: template.CSS(Style()), // ours, and no one's input
	}
	if live != nil {
		p.Sign, p.Word, p.Tone, p.Now = "●", "RUNNING", "live", live.now()
		p.Tiles = slices.DeleteFunc(p.Tiles, func(t tile) bool { return t.Note == noData })
	} else {
		p.Lead, p.Where = r.Lead(), r.where()
		p.What += fmt.Sprintf("; arrivals %s, measured %s", seconds(run.Arrivals), seconds(run.Steady))
		if a := run.Aborted; a != nil {
			p.What += fmt.Sprintf("; aborted after %s by %s: %s", seconds(a.At), a.Threshold.Metric, a.Threshold.Expression)
		}
	}
	p.Held, p.HeldTone = r.held(live != nil)
	p.Thresholds = r.thresholdRows(live != nil)
	sections, without, err := r.sections(live != nil)
	if err != nil {
		return nil, err
	}
	if p.Sections = sections; live == nil {
		p.Without = without
	}
	for _, e := range plot.Events(run) {
		p.Events = append(p.Events, eventRow{seconds(e.At), e.Name})
	}
	for _, problem := range run.Problems {
		p.Problems = append(p.Problems, problem.String())
	}
	return p, nil
}

// held says how many thresholds hold.
func (r *Report) held(live bool) (text, tone string) {
	var holds, crossed, undecided int
	for _, t := range r.Thresholds {
		switch {
		case t.Undecided:
			undecided++
		case t.OK == nil:
		case *t.OK:
			holds++
		default:
			crossed++
		}
	}
	all := len(r.Thresholds)
	rest := map[bool]string{true: "the others are undecided or have no data", false: "the others have no data"}[undecided > 0]
	switch {
	case all == 0:
		return "", ""
	case crossed > 0:
		return fmt.Sprintf("%d of %s crossed", crossed, count(all, "threshold")), "bad"
	case holds == all:
		return fmt.Sprintf("%s, and all hold", count(all, "threshold")), "good"
	case live && all-holds == 1:
		return fmt.Sprintf("%d of %s hold, one waits for data", holds, count(all, "threshold")), "live"
	case live:
		return fmt.Sprintf("%d of %s hold, the others wait for data", holds, count(all, "threshold")), "live"
	case holds+undecided == all:
		rest = map[bool]string{true: "one is undecided", false: "the others are undecided"}[undecided == 1]
	}
	return fmt.Sprintf("%d of %s hold, %s", holds, count(all, "threshold"), rest), "doubt"
}

func (r *Report) thresholdRows(live bool) (rows []thresholdRow) {
	for _, t := range r.Thresholds {
		rows = append(rows, row(t, live, r.Result.Aborted != nil))
	}
	return rows
}

// row is how a threshold is shown. While the run goes on, no data may still
// come.
func row(t Judgement, live, aborted bool) thresholdRow {
	shown := thresholdRow{Metric: t.Metric, Expression: t.Expression}
	switch {
	case t.Undecided:
		shown.Tone, shown.Sign, shown.Word, shown.Was = "doubt", "?", "undecided", thresholdValue(t)
	case t.OK == nil && live:
		shown.Tone, shown.Sign, shown.Word, shown.Was = "live", "…", "waiting", "no data yet"
		return shown
	case t.OK == nil && aborted:
		shown.Tone, shown.Sign, shown.Word, shown.Was = "live", "–", "not judged", notJudged
		return shown
	case t.OK == nil:
		shown.Tone, shown.Sign, shown.Word, shown.Was = "doubt", "?", "no data", t.Reason
		return shown
	case *t.OK:
		shown.Tone, shown.Sign, shown.Word = "good", "✓", "holds"
	default:
		shown.Tone, shown.Sign, shown.Word = "bad", "✗", "crossed"
	}
	shown.Was = thresholdValue(t)
	if d, ok := metric.Lookup(t.Metric); ok && t.OK != nil && !*t.OK {
		shown.Hint = d.Hint
	}
	return shown
}

// tiles are the figures that a reader looks for first.
func (r *Report) tiles() []tile {
	v := r.Result.Values
	return []tile{
		rateTile("Joined", v, "joined"),
		rateTile("Delivered", v, "delivered"),
		trendTile("Latency", v, "latency", metric.Milliseconds, 99, "p(99)", 50, "median"),
		trendTile("Longest gap", v, "audio_gap", metric.Milliseconds, 99, "p(99) of listeners", 50, "median"),
		trendTile("Quality (MOS, estimated)", v, "mos", metric.None, 50, "median listener", 1, "worst 1 %"),
		r.costTile(),
	}
}

func rateTile(name string, values metric.Values, key string) tile {
	v, _ := values[key].(metric.Rate)
	if v.Total == 0 {
		return tile{name, "–", noData}
	}
	return tile{name, percent(v.Share()), fmt.Sprintf("%s of %s", thousands(v.Passes), thousands(v.Total))}
}

func trendTile(name string, values metric.Values, key string, unit metric.Unit, q float64, said string, second float64, also string) tile {
	t, _ := values[key].(*metric.Trend)
	if t == nil || t.Count() == 0 {
		return tile{name, "–", noData}
	}
	return tile{name, quantile(t, q, unit), fmt.Sprintf("%s; %s %s", said, also, quantile(t, second, unit))}
}

func (r *Report) costTile() tile {
	v := r.Result.Values
	cost, ok := v["packets_per_core"].(metric.Gauge)
	cpu, okay := v["server_cpu"].(metric.Gauge)
	if !ok || !okay {
		return tile{"Packets per core", "–", noData}
	}
	return tile{"Packets per core", figure(float64(cost), metric.None), "a second; the server used " + figure(float64(cpu), metric.Cores)}
}

// where says when and where it took place, in a line.
func (r *Report) where() string {
	run, e := r.Result, r.Result.Environment
	if run.Began.IsZero() {
		return ""
	}
	parts := []string{run.Began.UTC().Format("2006-01-02 15:04 UTC")}
	if e.CPUs > 0 {
		parts = append(parts, strings.TrimSuffix(count(e.CPUs, "CPU")+", "+e.CPU, ", "))
	}
	if e.Version != "" {
		parts = append(parts, "earshot "+e.Version)
	}
	return strings.Join(parts, " · ")
}

func (r *Report) generator() []fact {
	g := r.Result.Generator
	all := []fact{
		{"lag sending, p(99)", lag(g.SendLag)}, {"lag joining, p(99)", lag(g.JoinLag)}, {"lag reading, p(99)", lag(g.ReadLag)},
		{"packets dropped", fmt.Sprintf("%s by its sockets, %s by its machine", thousands(g.SocketDrops), thousands(g.MachineDrops.Total()))},
		{"CPU", fmt.Sprintf("%.2f of %s, waiting %.2f", g.CPU, count(g.CPUs, "core"), g.CPUWait)},
	}
	for _, w := range r.Result.Workers {
		all = append(all, fact{"worker " + w.Name, strings.TrimPrefix(workerLine(w), w.Name+": ")})
	}
	for _, text := range clockWarnings(r.Result.ClockChecks) {
		all = append(all, fact{"clocks", text})
	}
	if c, p := r.Result.Crowd, r.Result.Probes; p.Latency != nil && c.Latency != nil && p.Latency.Count() > 0 && c.Latency.Count() > 0 {
		all = append(all, fact{"probes against the crowd", fmt.Sprintf("delivered %s and %s; latency p(99) %s and %s", percent(p.Delivered.Share()), percent(c.Delivered.Share()),
			quantile(p.Latency, 99, metric.Milliseconds), quantile(c.Latency, 99, metric.Milliseconds))})
	}
	if text := lossesText(r.Result.Losses); text != "" {
		all = append(all, fact{"where packets were lost", text})
	}
	if g.ClockStep >= time.Millisecond {
		all = append(all, fact{"wall clock", "stepped by " + g.ClockStep.String()})
	}
	return all
}

func (r *Report) environment() []fact {
	run, e := r.Result, r.Result.Environment
	all := []fact{
		{"scenario", run.Scenario}, {"seed", fmt.Sprint(run.Seed)}, {"began", run.Began.UTC().Format("2006-01-02 15:04:05 UTC")},
		{"machine", strings.TrimSpace(fmt.Sprintf("%s, %s", count(e.CPUs, "CPU"), e.CPU))},
	}
	if e.Memory > 0 {
		all = append(all, fact{"memory", figure(float64(e.Memory), metric.Bytes)})
	}
	all = append(all, fact{"system", strings.TrimSpace(e.OS + "/" + e.Arch + " " + e.Kernel)}, fact{"host", e.Hostname}, fact{"earshot", strings.TrimSpace(e.Version + " " + e.Revision)}, fact{"Go", e.Go})
	for _, path := range slices.Sorted(maps.Keys(e.Modules)) {
		all = append(all, fact{strings.TrimPrefix(path, "github.com/"), e.Modules[path]})
	}
	return slices.DeleteFunc(all, func(f fact) bool { return strings.Trim(f.Value, ", ") == "" })
}
