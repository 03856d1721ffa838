package versus

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/earshot-audio/earshot/internal/table"
	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// shown are the figures of the text's table.
func shown() []figure.Figure {
	return figure.ByName(
		"joined", "join_duration p(50)", "join_duration p(95)", "delivered", "latency p(50)", "latency p(99)",
		"audio_gap p(99)", "mos p(50)", "server_cpu", "server_rss", "packets_per_core",
	)
}

// WriteText writes the targets side by side, for people.
func (r *Result) WriteText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\n  %s\n\n", r.Scenario); err != nil {
		return err
	}
	if err := table.Write(w, table.Options{Indent: "  ", Right: 2}, r.rows()); err != nil {
		return err
	}
	text := "\n"
	for _, t := range r.Targets {
		for _, why := range t.why() {
			text += "  " + why + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// maxProblems is how many kinds of problems are named of each target.
const maxProblems = 3

// why says, for people, what kept a target from passing: why its figures can't decide, or
// which thresholds it crossed, and what went wrong meanwhile.
func (t Target) why() (all []string) {
	if t.Report == nil || t.Report.Verdict == report.Pass {
		return nil
	}
	for _, why := range t.Report.Reasons {
		all = append(all, fmt.Sprintf("%s is %s: %s", t.Name, t.Report.Verdict, why))
	}
	for _, threshold := range t.Report.Thresholds {
		if threshold.OK != nil && !*threshold.OK {
			all = append(all, fmt.Sprintf("%s fails %s: %s (it is %s)", t.Name, threshold.Metric, threshold.Expression, shownValue(threshold)))
		}
	}
	for _, line := range t.Report.ProblemLines(maxProblems) {
		all = append(all, t.Name+": "+line)
	}
	return all
}

// shownValue is what a threshold's metric came to.
func shownValue(t report.Judgement) string {
	if t.Value == nil {
		return "not known"
	}
	return report.Figure(*t.Value, t.LimitUnit())
}

// rows are two columns a target: the figure, and its ratio to the first target's.
func (r *Result) rows() [][]string {
	rows := [][]string{{""}, {"verdict"}}
	for _, t := range r.Targets {
		rows[0] = append(rows[0], t.Name, "")
		rows[1] = append(rows[1], t.verdict(), "")
	}
	for _, f := range shown() {
		row := []string{f.Name()}
		for _, t := range r.Targets {
			value, ratio := r.compared(f, t)
			row = append(row, value, ratio)
		}
		rows = append(rows, row)
	}
	return rows
}

// notPlayed stands for the verdict on a target that could not be played against.
const notPlayed = "could not be played"

func (t Target) verdict() string {
	if t.Report == nil {
		return notPlayed
	}
	return string(t.Report.Verdict)
}

// compared is a target's figure and its ratio to the first target's; "–" and nothing if there
// are none.
func (r *Result) compared(f figure.Figure, t Target) (value, ratio string) {
	v, ok := f.Of(t.source())
	if !ok {
		return "–", ""
	}
	if first, known := f.Of(r.Targets[0].source()); known && first != 0 {
		ratio = fmt.Sprintf("%.2f×", v/first)
	}
	return f.Format(v), ratio
}

// schemaVersion is the version of the JSON's form. It rises when a field changes
// its meaning or goes away.
const schemaVersion = 2

type document struct {
	SchemaVersion int              `json:"schema_version"`
	Kind          string           `json:"kind"` // versus
	Scenario      string           `json:"scenario"`
	Seed          int64            `json:"seed"`
	Targets       []targetDocument `json:"targets"`
}

type targetDocument struct {
	Name    string         `json:"name"`
	Target  string         `json:"target,omitempty"`
	Verdict report.Verdict `json:"verdict,omitempty"`
	Reasons []string       `json:"reasons,omitempty"`
	Error   string         `json:"error,omitempty"`
	// Figures are by their names, as in thresholds, in the metrics' units.
	Figures map[string]float64 `json:"figures"`
}

// WriteJSON writes all figures of all targets, for programs.
func (r *Result) WriteJSON(w io.Writer) error {
	d := document{SchemaVersion: schemaVersion, Kind: "versus", Scenario: r.Scenario, Seed: r.Seed, Targets: []targetDocument{}}
	for _, t := range r.Targets {
		entry := targetDocument{Name: t.Name, Figures: figure.Numbers(t.source())}
		if t.Report != nil {
			entry.Target, entry.Verdict, entry.Reasons = t.Report.Result.Target, t.Report.Verdict, t.Report.Reasons
		}
		if t.Err != nil {
			entry.Error = t.Err.Error()
		}
		d.Targets = append(d.Targets, entry)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}
