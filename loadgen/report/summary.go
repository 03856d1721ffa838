package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// schemaVersion is the version of the summary's form. It rises when a field
// changes its meaning or goes away.
const schemaVersion = 1

type (
	version int
	portion float64 // from 0 to 1
)

// A summary is the JSON form of a report.
type summary struct {
	SchemaVersion version            `json:"schema_version" jsonschema:"Rises when a field changes its meaning or goes away."`
	Verdict       Verdict            `json:"verdict" jsonschema:"invalid says nothing of the server: there was no data, or the data can't be trusted."`
	Reasons       []string           `json:"reasons,omitempty" jsonschema:"Why the verdict is invalid."`
	Interrupted   bool               `json:"interrupted,omitempty" jsonschema:"The run was ended early; the figures are of what ran."`
	Aborted       *abortSummary      `json:"aborted,omitempty" jsonschema:"The threshold with abort_on_fail that ended the run."`
	Scenario      scenarioSummary    `json:"scenario"`
	Environment   host.Environment   `json:"environment" jsonschema:"The generator's machine, and the program."`
	Thresholds    []thresholdSummary `json:"thresholds"`
	Metrics       metric.Values      `json:"metrics" jsonschema:"By name. One that was not measured is left out."`
	// Best has what those metrics that are in doubt are at best, and Doubts what put
	// them in doubt.
	Best      metric.Values    `json:"best,omitempty" jsonschema:"What those metrics that are in doubt are if none of what is in doubt was the server's doing, by name."`
	Doubts    *doubtsSummary   `json:"doubts,omitempty" jsonschema:"What put figures in doubt, by what gave rise to it."`
	Generator generatorSummary `json:"generator" jsonschema:"The health of the generator itself."`
	Crowd     *shareSummary    `json:"crowd,omitempty" jsonschema:"The lean clients apart."`
	Probes    *shareSummary    `json:"probes,omitempty" jsonschema:"The whole WebRTC clients beside them."`
	Losses    *lossesSummary   `json:"losses,omitempty" jsonschema:"Where packets were lost, as far as the server's RTCP reports tell. Left out if none were. No verdict rests on it."`
	// Workers are the processes that played the run together.
	Workers      []workerSummary     `json:"workers,omitempty" jsonschema:"The processes that played the run together, if it was not one alone."`
	ClockChecks  []clockCheckSummary `json:"clock_checks,omitempty" jsonschema:"What the workers' speakers say of their clocks, for each two workers of which one heard the other."`
	ClockErrorMS *float64            `json:"clock_error_ms,omitempty" jsonschema:"By how much the clocks of two workers may differ; it is in doubt in the latency of what one sends and the other receives."`
	Problems     []problem.Problem   `json:"problems" jsonschema:"What went wrong without ending the run."`
	Command      string              `json:"command,omitempty" jsonschema:"The command line that plays it again, without secrets."`
	Groups       []groupSummary      `json:"groups,omitempty" jsonschema:"The figures of people and times apart, where there are several."`
	Record       *recordSummary      `json:"record,omitempty" jsonschema:"What earshot report makes the report again from."`
}

// A groupSummary is the figures of some of the run's people, or of some of its time.
type groupSummary struct {
	By      string        `json:"by" jsonschema:"network, role, room or phase."`
	Name    string        `json:"name" jsonschema:"Which; empty for those without a network. Rooms are numbered from 1; of more than 20 only those are there that got least."`
	Metrics metric.Values `json:"metrics" jsonschema:"By name."`
	Best    metric.Values `json:"best,omitempty" jsonschema:"What those that are in doubt are at best."`
}

type scenarioSummary struct {
	Name      string    `json:"name"`
	Seed      int64     `json:"seed"`
	Driver    string    `json:"driver" jsonschema:"earshot or whep."`
	Target    string    `json:"target" jsonschema:"The server's address."`
	Rooms     int       `json:"rooms"`
	Speakers  int       `json:"speakers" jsonschema:"Cast for the stage, in all rooms."`
	Listeners int       `json:"listeners" jsonschema:"Cast, in all rooms."`
	Began     time.Time `json:"began"`
	ArrivalsS float64   `json:"arrivals_s" jsonschema:"From the first arrival until everybody had joined or their time to was over, in seconds."`
	SteadyS   float64   `json:"steady_s" jsonschema:"The measured window, in seconds."`
}

type thresholdSummary struct {
	Metric     string   `json:"metric" jsonschema:"With its selector, if it has one."`
	Expression string   `json:"expression"`
	OK         *bool    `json:"ok" jsonschema:"null if there was no data or the threshold is undecided; the verdict is not pass then."`
	Value      *float64 `json:"value" jsonschema:"The figure that was compared, in the metric's unit. Where it is in doubt it is the worst case."`
	// Worst and Best are the ends of the figure's doubt, if it has any, and
	// Undecided is whether the threshold holds at one of them alone.
	Worst     *float64 `json:"worst,omitempty" jsonschema:"What the figure is if all that is in doubt was the server's doing. Left out where there is no doubt."`
	Best      *float64 `json:"best,omitempty" jsonschema:"What the figure is if none of what is in doubt was the server's doing. Left out where there is no doubt."`
	Undecided bool     `json:"undecided,omitempty" jsonschema:"Whether the threshold holds at one end of the doubt and not at the other."`
	// BeyondRange is whether the figure is a quantile of which only bounds are known.
	BeyondRange bool `json:"beyond_range,omitempty" jsonschema:"Whether the figure is a percentile among several samples above 60,000, of which only bounds are known."`
	// FromS and UntilS are the window that did worst, if the threshold is over
	// one, and Reason says why there is no value.
	FromS  float64 `json:"from_s,omitempty" jsonschema:"Of a condition over a window: when the worst one began, since the run did."`
	UntilS float64 `json:"until_s,omitempty" jsonschema:"When it ended."`
	Reason string  `json:"reason,omitempty" jsonschema:"Why there is no value."`
}

// An abortSummary is the threshold that ended a run.
type abortSummary struct {
	Metric     string  `json:"metric"`
	Expression string  `json:"expression"`
	AtS        float64 `json:"at_s" jsonschema:"When, since the run began."`
}

// A shareSummary is one kind of listeners apart from the other.
type shareSummary struct {
	Delivered    portion `json:"delivered"`
	Packets      uint64  `json:"packets" jsonschema:"Owed."`
	LatencyP50MS float64 `json:"latency_p50_ms"`
	LatencyP99MS float64 `json:"latency_p99_ms"`
}

func summarize(s record.Share) *shareSummary {
	if s.Latency == nil || s.Latency.Count() == 0 {
		return nil
	}
	return &shareSummary{
		Delivered: portion(s.Delivered.Share()), Packets: s.Delivered.Total,
		LatencyP50MS: s.Latency.Quantile(50), LatencyP99MS: s.Latency.Quantile(99),
	}
}

// A doubtsSummary is what put figures in doubt, by what gave rise to it.
type doubtsSummary struct {
	LateFrames   uint64  `json:"late_frames" jsonschema:"Frames that the generator sent more than 250 µs late."`
	LatestMS     float64 `json:"latest_ms" jsonschema:"How late the latest frame went out."`
	Stalls       int     `json:"stalls" jsonschema:"How often the generator's process did not run."`
	StalledMS    float64 `json:"stalled_ms" jsonschema:"For how long in all."`
	ThrottledMS  float64 `json:"throttled_ms" jsonschema:"For how long the quota of its control group kept the generator's threads from running, summed over them."`
	StolenMS     float64 `json:"stolen_ms" jsonschema:"For how long the hypervisor took the machine's cores, summed over them."`
	ContendedS   float64 `json:"contended_s" jsonschema:"For how long others took the cores of the server's machine."`
	CompetedS    float64 `json:"competed_s" jsonschema:"For how long threads of the server waited for cores while the generator or others ran on them, summed over them."`
	Drops        uint64  `json:"drops" jsonschema:"Packets that the generator's side dropped."`
	ClockSteps   int     `json:"clock_steps" jsonschema:"How often the wall clock was stepped."`
	WeakMarks    uint64  `json:"weak_marks" jsonschema:"Frames whose mark was so weak that they may have been lost."`
	Ambiguous    uint64  `json:"ambiguous" jsonschema:"Packets that fit several frames."`
	DelayedJoins uint64  `json:"delayed_joins" jsonschema:"Joins that took longer by the generator's doing."`
	LostJoins    uint64  `json:"lost_joins" jsonschema:"Joins that failed and that the generator held up for half of their time or more."`
}

func summarizeDoubts(d doubt.Sum) *doubtsSummary {
	s := doubtsSummary{
		LateFrames: d.LateFrames, LatestMS: metric.InMilliseconds(d.Latest), Stalls: d.Stalls, StalledMS: metric.InMilliseconds(d.Stalled),
		ContendedS: d.Contended.Seconds(), Drops: d.Drops, ClockSteps: d.Steps, Ambiguous: d.Ambiguous, DelayedJoins: d.LateJoins,
		LostJoins: d.LostJoins, WeakMarks: d.WeakMarks, ThrottledMS: metric.InMilliseconds(d.Throttled), StolenMS: metric.InMilliseconds(d.Stolen),
		CompetedS: d.Competed.Seconds(),
	}
	if s == (doubtsSummary{}) {
		return nil
	}
	return &s
}

type generatorSummary struct {
	CPU          float64 `json:"cpu" jsonschema:"Cores used in the steady state."`
	CPUs         int     `json:"cpus,omitempty" jsonschema:"Cores that it may use."`
	Quota        float64 `json:"cpu_quota,omitempty" jsonschema:"Cores that the quota of its control group allows."`
	CPUWait      float64 `json:"cpu_wait,omitempty" jsonschema:"How many of its threads waited for a core in the steady state, on average."`
	SendLagMS    float64 `json:"send_lag_p99_ms" jsonschema:"How late frames went out."`
	JoinLagMS    float64 `json:"join_lag_p99_ms" jsonschema:"How late joins and acts of the timeline began."`
	ReadLagMS    float64 `json:"read_lag_p99_ms" jsonschema:"How long packets lay in its process."`
	SocketDrops  uint64  `json:"socket_drops" jsonschema:"Packets that its sockets dropped."`
	MachineDrops uint64  `json:"machine_drops" jsonschema:"Packets that its machine dropped: by its backlog, its table of connections, and for a server elsewhere its interfaces and sockets."`
	Unstamped    uint64  `json:"unstamped" jsonschema:"Packets whose receive time the process no longer knew."`
	ClockStepMS  float64 `json:"clock_step_ms" jsonschema:"By how much the wall clock was stepped during the run."`
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
			CPU: run.Generator.CPU, CPUs: run.Generator.CPUs, Quota: run.Generator.Quota, CPUWait: run.Generator.CPUWait,
			SendLagMS: metric.InMilliseconds(run.Generator.SendLag), JoinLagMS: metric.InMilliseconds(run.Generator.JoinLag), ReadLagMS: metric.InMilliseconds(run.Generator.ReadLag),
			SocketDrops: run.Generator.SocketDrops, MachineDrops: run.Generator.MachineDrops.Total(),
			Unstamped: run.Generator.Unstamped, ClockStepMS: metric.InMilliseconds(run.Generator.ClockStep),
		},
		Crowd:    summarize(run.Crowd),
		Probes:   summarize(run.Probes),
		Losses:   summarizeLosses(run.Losses),
		Problems: run.Problems,
	}
	for _, t := range r.Thresholds {
		one := thresholdSummary{
			Metric: t.Metric, Expression: t.Expression, OK: t.OK, Value: t.Value, Undecided: t.Undecided,
			BeyondRange: t.BeyondRange, FromS: t.From.Seconds(), UntilS: t.Until.Seconds(), Reason: t.Reason,
		}
		if t.Best != nil {
			one.Worst, one.Best = t.Value, t.Best
		}
		s.Thresholds = append(s.Thresholds, one)
	}
	if a := run.Aborted; a != nil {
		s.Aborted = &abortSummary{a.Threshold.Metric, a.Threshold.Expression, a.At.Seconds()}
	}
	s.Workers, s.ClockErrorMS = summarizeWorkers(run.Workers)
	s.ClockChecks = summarizeClockChecks(run.ClockChecks)
	for _, g := range run.Groups {
		s.Groups = append(s.Groups, groupSummary{g.By, g.Name, g.Values, g.Best})
	}
	s.Command = r.Command
	var err error
	if s.Record, err = r.recorded(); err != nil {
		return err
	}
	if s.Problems == nil {
		s.Problems = []problem.Problem{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(s)
}
