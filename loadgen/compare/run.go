package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// A Run is what is read of one run's summary.
type Run struct {
	// File is where it was read from.
	File        string
	Verdict     report.Verdict
	Reasons     []string
	Interrupted bool
	Scenario    PlayedScenario
	Machine     Machine
	Version     string
	// Thresholds are those of the run, with their values.
	Thresholds []RunThreshold

	metrics numbers
	// best has the metrics that are in doubt, at their better end.
	best numbers
}

// A PlayedScenario says what was played.
type PlayedScenario struct {
	Name      string    `json:"name"`
	Seed      int64     `json:"seed"`
	Driver    string    `json:"driver"`
	Rooms     int       `json:"rooms"`
	Speakers  int       `json:"speakers"`
	Listeners int       `json:"listeners"`
	Began     time.Time `json:"began"`
}

// Machine is where it was played.
type Machine struct {
	CPUs int    `json:"cpus"`
	CPU  string `json:"cpu"`
	Arch string `json:"arch"`
}

// A RunThreshold is a threshold of a run. Value is nil if the run had no data for it; Worst
// and Best are the ends of a value in doubt.
type RunThreshold struct {
	metric.Threshold
	Value, Worst, Best *float64
}

// numbers are by metric and by aggregation.
type numbers map[string]map[string]any

// Number implements [figure.Source]. A metric without samples has none.
func (n numbers) Number(name, stat string) (float64, bool) {
	all, ok := n[name]
	if !ok {
		return 0, false
	}
	for _, samples := range []string{"total", "count"} {
		if n, ok := all[samples].(float64); ok && n == 0 && all["kind"] != "counter" {
			return 0, false
		}
	}
	v, ok := all[stat].(float64)
	return v, ok
}

// widen takes the percentiles beyond the range of their histograms, of which only bounds
// are known, as figures in doubt: the summary has the least that they can be.
func (r *Run) widen() {
	for name, figures := range r.metrics {
		beyond, _ := figures["beyond_range"].([]any)
		if len(beyond) == 0 {
			continue
		}
		if _, doubted := r.best[name]; !doubted {
			r.best[name] = figures
		}
		most := maps.Clone(figures)
		for _, stat := range beyond {
			if stat, ok := stat.(string); ok {
				most[stat] = figures["max"]
			}
		}
		r.metrics[name] = most
	}
}

// An end is which end of the figures in doubt is meant.
type end int

const (
	worst end = iota
	best
)

// at are the metrics at one end of their doubt.
func (r *Run) at(e end) numbers {
	if e == worst || len(r.best) == 0 {
		return r.metrics
	}
	all := numbers{}
	for _, from := range []numbers{r.metrics, r.best} {
		for name, metric := range from {
			all[name] = metric
		}
	}
	return all
}

// Number implements [figure.Source], at the worse end of what is in doubt.
func (r *Run) Number(name, stat string) (float64, bool) { return r.metrics.Number(name, stat) }

// Load reads the summary that earshot run --summary wrote to a file.
func Load(path string) (*Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a summary: %w", err)
	}
	defer f.Close()
	r, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.File = path
	return r, nil
}

// Read reads a summary. It rejects what is no summary, and other versions of its form.
func Read(from io.Reader) (*Run, error) {
	var s struct {
		SchemaVersion *int           `json:"schema_version"`
		Verdict       report.Verdict `json:"verdict"`
		Reasons       []string       `json:"reasons"`
		Interrupted   bool           `json:"interrupted"`
		Scenario      PlayedScenario `json:"scenario"`
		Environment   struct {
			Machine
			Version  string `json:"version"`
			Revision string `json:"revision"`
		} `json:"environment"`
		Thresholds []struct {
			Metric     string   `json:"metric"`
			Expression string   `json:"expression"`
			Value      *float64 `json:"value"`
			Worst      *float64 `json:"worst"`
			Best       *float64 `json:"best"`
		} `json:"thresholds"`
		Metrics numbers `json:"metrics"`
		Best    numbers `json:"best"`
	}
	if err := json.NewDecoder(from).Decode(&s); err != nil {
		return nil, fmt.Errorf("not a summary of earshot run: %w", err)
	}
	switch {
	case s.SchemaVersion == nil || s.Metrics == nil:
		return nil, errors.New("not a summary of earshot run: it has no schema_version or no metrics")
	case *s.SchemaVersion != report.SchemaVersion:
		return nil, fmt.Errorf("the summary's schema_version is %d, and this earshot reads %d: run the scenario again", *s.SchemaVersion, report.SchemaVersion)
	}
	switch s.Verdict {
	case report.Pass, report.Fail, report.Invalid:
	default:
		return nil, fmt.Errorf("the summary's verdict %q is none of pass, fail and invalid", s.Verdict)
	}
	r := &Run{
		Verdict: s.Verdict, Reasons: s.Reasons, Interrupted: s.Interrupted,
		Scenario: s.Scenario, Machine: s.Environment.Machine, Version: version(s.Environment.Version, s.Environment.Revision),
		metrics: s.Metrics, best: s.Best,
	}
	if r.best == nil {
		r.best = numbers{}
	}
	r.widen()
	for _, t := range s.Thresholds {
		parsed, err := metric.ParseThreshold(t.Metric, t.Expression)
		if err != nil {
			return nil, fmt.Errorf("the summary has a threshold that this earshot does not know: %w", err)
		}
		r.Thresholds = append(r.Thresholds, RunThreshold{parsed, t.Value, t.Worst, t.Best})
	}
	return r, nil
}

// version adds the revision to a version that does not say it.
func version(version, revision string) string {
	if version == "(devel)" && revision != "" {
		return version + " " + revision
	}
	return version
}
