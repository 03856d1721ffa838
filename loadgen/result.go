package loadgen

import (
	"runtime"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Result is what a run measured.
type Result struct {
	Scenario string
	Seed     int64
	Driver   string
	Target   string
	Rooms    int
	Speakers int // cast for the stage, in all rooms
	Seats    int // listeners cast, in all rooms

	Began time.Time
	// Arrivals is from the first arrival until everybody had joined or their
	// time to was over, and Steady the measured window after it.
	Arrivals, Steady time.Duration

	// Values has the metrics for which there was something to measure.
	Values metric.Values
	// Series is the run over time, and Marks what happened when. Both count from
	// the run's beginning.
	Series measure.Series
	Marks  []measure.Mark
	// Problems is what went wrong without ending the run.
	Problems []Problem
	// Aborted is the threshold that ended the run early, if one did.
	Aborted *Abort
	// Interrupted tells that the run was ended early.
	Interrupted bool
	// Crowd and Probes are the two kinds of listeners apart: the lean clients,
	// and the whole peer connections beside them.
	Crowd, Probes measure.Share
	Generator     Generator
	Environment   host.Environment
}

// Generator is the health of the generator itself.
type Generator struct {
	// CPU is how many cores it used in the steady state, and CPUs how many it
	// may use: those that the system leaves it, and Go's scheduler with them.
	CPU  float64
	CPUs int
	// CPUWait is how many of its threads were ready to run and waited for a core,
	// on average over the steady state; 0 where the system does not tell.
	CPUWait float64
	// SendLag is how late its frames went out, JoinLag how late its joins and
	// the acts of its timeline began, and ReadLag how long packets lay in its
	// sockets and queues: of each the 99th percentile.
	SendLag, JoinLag, ReadLag time.Duration

	SocketDrops  uint64 // packets that its sockets dropped
	MachineDrops uint64 // packets that the machine's backlog dropped
	// Unstamped counts packets whose receive time the process no longer knew
	// when it came to read them; their latency counts from the reading.
	Unstamped uint64
	// ClockStep is by how much the wall clock was stepped during the run.
	ClockStep time.Duration
}

// Span is the times, on the run's clock, at which the arrivals, the hold and
// the steady state began and the steady state stopped.
type Span struct{ Arrivals, Hold, Steady, Stop time.Duration }

// result gathers what was measured.
func (r *run) result(interrupted bool, span Span, before, after sample) *Result {
	drops, unstamped := r.drops()
	machine := r.health.machineDrops()
	totals := r.tally.Totals()
	values := totals.Values
	unauthentic, replayed := r.clients.refused()
	if duplicates, ok := values["duplicates"].(metric.Counter); ok {
		// A copy of a packet does not get past SRTP's replay protection.
		values.Set("duplicates", duplicates+metric.Counter(replayed))
	}
	if asked, recovered := r.clients.nacks.Counts(); asked > 0 {
		values.Set("recovered", metric.Rate{Passes: recovered, Total: asked})
	}
	r.moderation.values(values)
	if r.Scenario.Invites() {
		values.Set("no_shows", metric.Counter(r.rooms.noShows()))
	}
	values.Set("generator_lag", r.health.lag())
	values.Set("generator_drops", metric.Counter(drops+machine))
	values.Set("unauthentic", metric.Counter(unauthentic))

	window := (after.at - before.at).Seconds()
	if before.server != nil && after.server != nil && window > 0 {
		cpu := (after.server.CPU - before.server.CPU).Seconds()
		values.Set("server_cpu", metric.Gauge(cpu/window))
		values.Set("server_rss", metric.Gauge(max(before.server.Memory, after.server.Memory, r.peak.Load())))
		if cpu > 0 {
			values.Set("packets_per_core", metric.Gauge(float64(totals.Received)/cpu))
		}
	}
	r.tally.Answer(values, r.Scenario.Thresholds)
	result := &Result{
		Scenario: r.Scenario.Name, Seed: r.Scenario.Seed,
		Driver: r.Driver.Capabilities().Driver, Target: r.Driver.Target(),
		Rooms: len(r.rooms), Speakers: r.rooms.speakers(), Seats: r.rooms.listeners(),
		Began: r.began, Arrivals: span.Hold - span.Arrivals, Steady: span.Stop - span.Steady,
		Values: values, Series: r.tally.Series(), Marks: r.tally.Marks(), Aborted: r.gate.aborted(), Interrupted: interrupted, Crowd: totals.Crowd, Probes: totals.Probes,
		Generator: Generator{
			SendLag: p99(r.health.sendLag), JoinLag: p99(r.health.joinLag), ReadLag: p99(r.health.readLag),
			SocketDrops: drops, MachineDrops: machine, Unstamped: unstamped,
			ClockStep: time.Duration(r.health.clockSteps.Load()),
			CPUs:      runtime.GOMAXPROCS(0),
		},
		Environment: host.CurrentEnvironment(),
	}
	if window > 0 {
		result.Generator.CPU = (after.own - before.own).Seconds() / window
		result.Generator.CPUWait = max(0, (after.wait-before.wait).Seconds()/window)
	}
	return result
}
