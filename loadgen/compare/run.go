package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/earshot-audio/earshot/loadgen/report"
)

// A Run is what is read of one run's summary.
type Run struct {
	// File is where it was read from.
	File        string
	Verdict     report.Verdict
	Scenario    string
	Seed        int64
	Driver      string
	Rooms       int
	Listeners   int
	CPUs        int
	Arch        string
	Version     string
	Reasons     []string
	Interrupted bool
	// metrics are the numbers of each metric by aggregation.
	metrics map[string]map[string]any
}

// Number implements [figure.Source]. A metric without samples has none.
func (r *Run) Number(metric, stat string) (float64, bool) {
	numbers, ok := r.metrics[metric]
	if !ok {
		return 0, false
	}
	for _, samples := range []string{"total", "count"} {
		if n, ok := numbers[samples].(float64); ok && n == 0 && numbers["kind"] != "counter" {
			return 0, false
		}
	}
	v, ok := numbers[stat].(float64)
	return v, ok
}

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

// Read reads a summary. It refuses what is none, and one of another version of
// the form.
func Read(from io.Reader) (*Run, error) {
	var s struct {
		SchemaVersion *int           `json:"schema_version"`
		Verdict       report.Verdict `json:"verdict"`
		Reasons       []string       `json:"reasons"`
		Interrupted   bool           `json:"interrupted"`
		Scenario      struct {
			Name      string `json:"name"`
			Seed      int64  `json:"seed"`
			Driver    string `json:"driver"`
			Rooms     int    `json:"rooms"`
			Listeners int    `json:"listeners"`
		} `json:"scenario"`
		Environment struct {
			CPUs    int    `json:"cpus"`
			Arch    string `json:"arch"`
			Version string `json:"version"`
		} `json:"environment"`
		Metrics map[string]map[string]any `json:"metrics"`
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
	return &Run{
		Verdict: s.Verdict, Reasons: s.Reasons, Interrupted: s.Interrupted,
		Scenario: s.Scenario.Name, Seed: s.Scenario.Seed, Driver: s.Scenario.Driver, Rooms: s.Scenario.Rooms, Listeners: s.Scenario.Listeners,
		CPUs: s.Environment.CPUs, Arch: s.Environment.Arch, Version: s.Environment.Version,
		metrics: s.Metrics,
	}, nil
}
