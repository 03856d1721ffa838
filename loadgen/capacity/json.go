package capacity

import (
	"encoding/json"
	"io"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// schemaVersion is the version of the JSON's form. It rises when a field
// changes its meaning or goes away.
const schemaVersion = 1

type document struct {
	SchemaVersion int               `json:"schema_version"`
	Kind          string            `json:"kind"` // capacity
	Verdict       report.Verdict    `json:"verdict"`
	Scenario      string            `json:"scenario"`
	Target        string            `json:"target"`
	Vary          Quantity          `json:"vary"`
	From          int               `json:"from"`
	To            int               `json:"to"`
	Within        float64           `json:"within"`
	Until         []string          `json:"until"`
	Limit         Limit             `json:"limit"`
	Largest       *int              `json:"largest"` // null if no load passed
	Beyond        *int              `json:"beyond"`  // null if no larger load was tried
	RanOut        []string          `json:"ran_out"`
	Environment   *host.Environment `json:"environment,omitempty"`
	Steps         []stepDocument    `json:"steps"` // in the order in which they were played
}

type stepDocument struct {
	Load    int            `json:"load"`
	Verdict report.Verdict `json:"verdict"`
	Died    bool           `json:"server_died,omitempty"`
	Crossed []string       `json:"crossed,omitempty"`
	Reasons []string       `json:"reasons,omitempty"`
	// Figures are by their names, as in thresholds, in the metrics' units.
	Figures      map[string]float64 `json:"figures"`
	GeneratorCPU float64            `json:"generator_cpu"`
}

// WriteJSON writes the result for programs.
func (r *Result) WriteJSON(w io.Writer, a About) error {
	d := document{
		SchemaVersion: schemaVersion, Kind: "capacity", Verdict: r.Verdict(), Scenario: a.Scenario, Target: a.Target,
		Vary: a.Vary, From: r.Plan.From, To: r.Plan.To, Within: r.Plan.Within, Until: []string{},
		Limit: r.Limit, RanOut: append([]string{}, r.RanOut()...), Steps: []stepDocument{},
	}
	if r.Largest > 0 {
		d.Largest = &r.Largest
	}
	if r.Beyond > 0 {
		d.Beyond = &r.Beyond
	}
	for _, t := range a.Until {
		d.Until = append(d.Until, t.Metric+": "+t.Expression)
	}
	for _, s := range r.Steps {
		step := stepDocument{Load: s.Load, Verdict: s.Verdict, Died: s.Died, Crossed: s.Crossed(), Figures: figure.Numbers(s.source())}
		if s.Report != nil {
			step.Reasons, step.GeneratorCPU = s.Report.Reasons, s.Report.Result.Generator.CPU
			d.Environment = &s.Report.Result.Environment
		}
		d.Steps = append(d.Steps, step)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}
