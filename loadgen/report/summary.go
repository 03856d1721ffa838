package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// schemaVersion is the version of the summary's form. It rises when a field
// changes its meaning or goes away.
const schemaVersion = 1

// A summary is the JSON form of a report.
type summary struct {
	SchemaVersion int                `json:"schema_version"`
	Verdict       Verdict            `json:"verdict"`
	Reasons       []string           `json:"reasons,omitempty"`
	Interrupted   bool               `json:"interrupted,omitempty"`
	Aborted       *abortSummary      `json:"aborted,omitempty"`
	Scenario      scenarioSummary    `json:"scenario"`
	Environment   host.Environment   `json:"environment"`
	Thresholds    []thresholdSummary `json:"thresholds"`
	Metrics       metric.Values      `json:"metrics"`
	// Best has what those metrics that are in doubt are at best, and Doubts what put
	// them in doubt.
	Best      metric.Values     `json:"best,omitempty"`
	Doubts    *doubtsSummary    `json:"doubts,omitempty"`
	Generator generatorSummary  `json:"generator"`
	Crowd     *shareSummary     `json:"crowd,omitempty"`
	Probes    *shareSummary     `json:"probes,omitempty"`
	Problems  []loadgen.Problem `json:"problems"`
}

type scenarioSummary struct {
	Name      string    `json:"name"`
	Seed      int64     `json:"seed"`
	Driver    string    `json:"driver"`
	Target    string    `json:"target"`
	Rooms     int       `json:"rooms"`
	Speakers  int       `json:"speakers"`
	Listeners int       `json:"listeners"`
	Began     time.Time `json:"began"`
	ArrivalsS float64   `json:"arrivals_s"`
	SteadyS   float64   `json:"steady_s"`
}

type thresholdSummary struct {
	Metric     string   `json:"metric"`
	Expression string   `json:"expression"`
	OK         *bool    `json:"ok"`
	Value      *float64 `json:"value"`
	// Worst and Best are the ends of the figure's doubt, if it has any, and
	// Undecided is whether the threshold holds at one of them alone.
	Worst     *float64 `json:"worst,omitempty"`
	Best      *float64 `json:"best,omitempty"`
	Undecided bool     `json:"undecided,omitempty"`
	// FromS and UntilS are the window that did worst, if the threshold is over
	// one, and Reason says why there is no value.
	FromS  float64 `json:"from_s,omitempty"`
	UntilS float64 `json:"until_s,omitempty"`
	Reason string  `json:"reason,omitempty"`
}

// An abortSummary is the threshold that ended a run.
type abortSummary struct {
	Metric     string  `json:"metric"`
	Expression string  `json:"expression"`
	AtS        float64 `json:"at_s"`
}

// A shareSummary is one kind of listeners apart from the other.
type shareSummary struct {
	Delivered    float64 `json:"delivered"`
	Packets      uint64  `json:"packets"`
	LatencyP50MS float64 `json:"latency_p50_ms"`
	LatencyP99MS float64 `json:"latency_p99_ms"`
}

func summarize(s measure.Share) *shareSummary {
	if s.Latency == nil || s.Latency.Count() == 0 {
		return nil
	}
	return &shareSummary{
		Delivered: s.Delivered.Share(), Packets: s.Delivered.Total,
		LatencyP50MS: s.Latency.Quantile(50), LatencyP99MS: s.Latency.Quantile(99),
	}
}

// A doubtsSummary is what put figures in doubt, by what gave rise to it.
type doubtsSummary struct {
	LateFrames   uint64  `json:"late_frames"`
	LatestMS     float64 `json:"latest_ms"`
	Stalls       int     `json:"stalls"`
	StalledMS    float64 `json:"stalled_ms"`
	ContendedS   float64 `json:"contended_s"`
	Drops        uint64  `json:"drops"`
	ClockSteps   int     `json:"clock_steps"`
	Ambiguous    uint64  `json:"ambiguous"`
	DelayedJoins uint64  `json:"delayed_joins"`
}

func summarizeDoubts(d measure.Doubts) *doubtsSummary {
	s := doubtsSummary{
		LateFrames: d.LateFrames, LatestMS: d.Latest.Seconds() * 1000, Stalls: d.Stalls, StalledMS: d.Stalled.Seconds() * 1000,
		ContendedS: d.Contended.Seconds(), Drops: d.Drops, ClockSteps: d.Steps, Ambiguous: d.Ambiguous, DelayedJoins: d.LateJoins,
	}
	if s == (doubtsSummary{}) {
		return nil
	}
	return &s
}

type generatorSummary struct {
	CPU          float64 `json:"cpu"`
	CPUs         int     `json:"cpus,omitempty"`
	CPUWait      float64 `json:"cpu_wait,omitempty"`
	SendLagMS    float64 `json:"send_lag_p99_ms"`
	JoinLagMS    float64 `json:"join_lag_p99_ms"`
	ReadLagMS    float64 `json:"read_lag_p99_ms"`
	SocketDrops  uint64  `json:"socket_drops"`
	MachineDrops uint64  `json:"machine_drops"`
	Unstamped    uint64  `json:"unstamped"`
	ClockStepMS  float64 `json:"clock_step_ms"`
}

// WriteJSON writes the summary.
func (r *Report) WriteJSON(w io.Writer) error {
	run := r.Result
	s := summary{
		SchemaVersion: schemaVersion, Verdict: r.Verdict, Reasons: r.Reasons, Interrupted: run.Interrupted,
		Scenario: scenarioSummary{
			Name: run.Scenario, Seed: run.Seed, Driver: run.Driver, Target: run.Target,
			Rooms: run.Rooms, Speakers: run.Speakers, Listeners: run.Seats,
			Began: run.Began, ArrivalsS: run.Arrivals.Seconds(), SteadyS: run.Steady.Seconds(),
		},
		Environment: run.Environment,
		Thresholds:  []thresholdSummary{},
		Metrics:     run.Values,
		Best:        run.Best,
		Doubts:      summarizeDoubts(run.Doubts),
		Generator: generatorSummary{
			CPU: run.Generator.CPU, CPUs: run.Generator.CPUs, CPUWait: run.Generator.CPUWait,
			SendLagMS: run.Generator.SendLag.Seconds() * 1000, JoinLagMS: run.Generator.JoinLag.Seconds() * 1000, ReadLagMS: run.Generator.ReadLag.Seconds() * 1000,
			SocketDrops: run.Generator.SocketDrops, MachineDrops: run.Generator.MachineDrops,
			Unstamped: run.Generator.Unstamped, ClockStepMS: run.Generator.ClockStep.Seconds() * 1000,
		},
		Crowd:    summarize(run.Crowd),
		Probes:   summarize(run.Probes),
		Problems: run.Problems,
	}
	for _, t := range r.Thresholds {
		one := thresholdSummary{
			Metric: t.Metric, Expression: t.Expression, OK: t.OK, Value: t.Value, Undecided: t.Undecided,
			FromS: t.From.Seconds(), UntilS: t.Until.Seconds(), Reason: t.Reason,
		}
		if t.Best != nil {
			one.Worst, one.Best = t.Value, t.Best
		}
		s.Thresholds = append(s.Thresholds, one)
	}
	if a := run.Aborted; a != nil {
		s.Aborted = &abortSummary{a.Threshold.Metric, a.Threshold.Expression, a.At.Seconds()}
	}
	if s.Problems == nil {
		s.Problems = []loadgen.Problem{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(s)
}
