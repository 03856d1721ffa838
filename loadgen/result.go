package loadgen

import (
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
	Speakers int // speakers and hosts in the cast, in all rooms
	Seats    int // listeners in the cast, in all rooms

	Began time.Time
	// Arrivals lasted from the first arrival until everybody had joined or missed their
	// join deadline. Steady is the measured window after it.
	Arrivals, Steady time.Duration

	// Values holds the metrics for which there was something to measure.
	Values metric.Values
	// Best has, of the metrics in Values that are in doubt, what they are if none of
	// what is in doubt was the server's doing; Values has what they are if all of it
	// was. Doubts sums up why.
	Best   metric.Values
	Doubts measure.Doubts
	// Foreign is how many packets held audio that nobody in their room sent.
	Foreign uint64
	// Marked means that the audio had marks, by which it was recognised.
	Marked bool
	// Series is the run over time, and Marks are its events. Both count from the
	// beginning of the run.
	Series measure.Series
	Marks  []measure.Mark
	// Mics counts the mics.
	Mics Mics
	// Losses is where packets were lost, as far as RTCP tells.
	Losses Losses
	// Problems are the errors that did not end the run.
	Problems []Problem
	// Aborted is the threshold that ended the run early, or nil.
	Aborted *Abort
	// Interrupted means that ctx ended the run early.
	Interrupted bool
	// Crowd and Probes are the two kinds of listeners separately: lean clients, and Pion
	// peer connections.
	Crowd, Probes measure.Share
	Generator     Generator
	Environment   host.Environment
	// Server is what is known about the server's machine.
	Server Server
}

// Server describes the machine of the server under test.
type Server struct {
	// Cores is how many cores the server may use; 0 if that is unknown.
	Cores int
	// Local means that it is the generator's machine.
	Local bool
	// Died means that its process, which was measured, ended during the run.
	Died bool
}

// Generator describes how well the generator itself kept up.
type Generator struct {
	// CPU is how many cores it used in the steady state. CPUs is how many it may use, by
	// the system's and Go's limits.
	CPU  float64
	CPUs int
	// Quota is how many cores the quota of its control group allows; 0 is all.
	Quota float64
	// CPUWait is how many of its threads waited for a core while ready to run, on
	// average over the steady state; 0 if the system does not report it.
	CPUWait float64
	// SendLag is how late it sent frames, JoinLag how late joins and timeline events
	// began, and ReadLag how long packets waited in its sockets and queues. Each is the
	// 99th percentile.
	SendLag, JoinLag, ReadLag time.Duration

	SocketDrops uint64 // packets dropped by its sockets
	// MachineDrops is how many packets the machine dropped, by where.
	MachineDrops host.Drops
	// Unstamped counts packets whose receive time was lost before the process read them.
	// Their latency counts from the reading.
	Unstamped uint64
	// ClockStep is the total of the wall clock's steps during the run.
	ClockStep time.Duration
}

// Cores is how many cores it may use, by its quota, too.
func (g Generator) Cores() float64 {
	if cores := float64(g.CPUs); g.Quota == 0 || cores < g.Quota {
		return cores
	}
	return g.Quota
}

// A Span holds the times, on the run's clock, at which the arrivals, the hold and the
// steady state began and the steady state ended.
type Span struct{ Arrivals, Hold, Steady, Stop time.Duration }

// result builds the result.
func (r *run) result(interrupted bool, span Span, before, after sample) *Result {
	drops, unstamped := r.drops()
	machine := r.health.machineDrops()
	totals := r.aggregator.Totals()
	values := totals.Values
	unauthentic, replayed := r.clients.refused()
	if duplicates, ok := values["duplicates"].(metric.Counter); ok {
		// A duplicate does not pass SRTP's replay protection.
		values.Set("duplicates", duplicates+metric.Counter(replayed))
	}
	if asked, recovered := r.clients.nacks.Counts(); asked > 0 {
		values.Set("recovered", metric.Rate{Passes: recovered, Total: asked})
		values.Set("recovered"+metric.Selector{By: "nack"}.String(), metric.Rate{Passes: recovered, Total: asked})
	}
	r.rooms.release()
	mics := r.uplinks.values(r.aggregator, drops+machine.Total(), values, totals.Best)
	r.moderation.values(values)
	r.moderation.durations(r.aggregator, values, totals.Best)
	if r.Scenario.Invites() {
		values.Set("no_shows", metric.Counter(r.rooms.noShows()))
	}
	values.Set("generator_lag", r.health.lag())
	values.Set("generator_drops", metric.Counter(drops+machine.Total()*r.clients.crowd.PacketsPerDrop()))
	values.Set("unauthentic", metric.Counter(unauthentic))

	_, process := r.Server.(host.ProcessMeter)
	died := false
	if last := r.used.Load(); after.server == nil && last != nil {
		died = process
		after = *last // this is what it used until then
		values.Set("server_rss", metric.Gauge(after.server.Memory))
	}
	window := (after.at - before.at).Seconds()
	if before.server != nil && after.server != nil && window > 0 {
		cpu := (after.server.CPU - before.server.CPU).Seconds()
		values.Set("server_cpu", metric.Gauge(cpu/window))
		values.Set("server_rss", metric.Gauge(max(before.server.Memory, after.server.Memory, r.peak.Load())))
		if cpu > 0 && r.rooms.listeners() > 0 {
			values.Set("packets_per_core", metric.Gauge(float64(totals.Received)/cpu))
			if totals.Excused > 0 { // the server sent them all the same
				totals.Best.Set("packets_per_core", metric.Gauge(float64(totals.Received+totals.Excused)/cpu))
			}
		}
	}
	r.aggregator.Answer(values, totals.Best, r.Scenario.Thresholds)
	result := &Result{
		Scenario: r.Scenario.Name, Seed: r.Scenario.Seed,
		Driver: r.Driver.Capabilities().Driver, Target: r.Driver.Target(),
		Rooms: len(r.rooms), Speakers: r.rooms.speakers(), Seats: r.rooms.listeners(), Mics: mics,
		Began: r.began, Arrivals: span.Hold - span.Arrivals, Steady: span.Stop - span.Steady,
		Values: values, Best: totals.Best, Doubts: r.aggregator.Doubts(), Foreign: totals.Foreign, Marked: r.marked(),
		Series: r.aggregator.Series(), Marks: r.aggregator.Marks(), Losses: r.rooms.placeLosses(drops + machine.Total()*r.clients.crowd.PacketsPerDrop()), Aborted: r.gate.aborted(), Interrupted: interrupted, Crowd: totals.Crowd, Probes: totals.Probes,
		Generator: Generator{
			SendLag: p99(r.health.sendLag), JoinLag: p99(r.health.joinLag), ReadLag: p99(r.health.readLag),
			SocketDrops: drops, MachineDrops: machine, Unstamped: unstamped,
			ClockStep: time.Duration(r.health.clockSteps.Load()),
			CPUs:      r.cores, Quota: after.group.Quota,
		},
		Environment: host.CurrentEnvironment(),
	}
	result.Server.Died = died
	if result.Server.Local = process || r.Driver.Loopback(); result.Server.Local {
		result.Server.Cores = result.Environment.CPUs
	} else if after.server != nil {
		result.Server.Cores = after.server.Cores
	}
	if window > 0 {
		result.Generator.CPU = (after.own - before.own).Seconds() / window
		result.Generator.CPUWait = max(0, (after.wait-before.wait).Seconds()/window)
	}
	return result
}
