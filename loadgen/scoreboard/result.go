package scoreboard

import (
	"time"

	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// A Result is what a run measured.
type Result struct {
	Scenario string
	Seed     int64
	Driver   string
	Target   string // without secrets
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
	Doubts doubt.Sum
	// Groups are the figures of people and of times apart, where there are several.
	Groups []record.Group
	// Foreign is how many packets held audio that nobody in their room sent.
	Foreign uint64
	// Elsewhere is how many of them another room of the run had just sent.
	Elsewhere uint64
	// Mistimed is how many of the packets that were recognised had RTP time stamps that do not
	// follow those before them.
	Mistimed uint64
	// PerhapsMistimed is how many more had such ones, since the generator sent late or others took the
	// server's cores, or perhaps since the server stamps wrong.
	PerhapsMistimed uint64
	// Marked means that the audio had marks, by which it was recognised.
	Marked bool
	// Series is the run over time, and Marks are its events. Both count from the
	// beginning of the run.
	Series record.Series
	Marks  []record.Mark
	// Mics counts the mics.
	Mics tally.Mics
	// Losses is where packets were lost, as far as RTCP tells.
	Losses tally.Losses
	// Problems are the errors that did not end the run.
	Problems []problem.Problem
	// Aborted is the threshold that ended the run early, or nil.
	Aborted *Abort
	// Interrupted means that ctx ended the run early.
	Interrupted bool
	// Crowd and Probes are the two kinds of listeners separately: lean clients, and Pion
	// peer connections.
	Crowd, Probes record.Share
	// Generator is the process that generated the load, or all of the workers.
	Generator tally.Generator
	// Workers are those that played the run together, if it was not one process alone.
	Workers []Worker
	// ClockChecks are what the workers' speakers say of their clocks, for each two that heard
	// one another.
	ClockChecks []ClockCheck
	// Overrun is why the coordinator of the workers could not hold the run together; "" if it
	// could.
	Overrun     string
	Environment host.Environment
	// Server is what is known about the server's machine.
	Server Server
}

// EndedByServer says that the run was ended early since the server's process had ended: nobody interrupted it.
func (r *Result) EndedByServer() { r.Interrupted, r.Server.Died = false, true }

// A Worker is one of the processes that played a run together.
type Worker struct {
	link.WorkerInfo
	Generator tally.Generator
	// ClockAhead is by how much its clock was ahead of the coordinator's at last beyond what
	// it was at the start, and ClockBound by how much that may be wrong. ClockTrouble is why
	// its clock could not be relied on.
	ClockAhead, ClockBound time.Duration
	ClockTrouble           string
	// Lost is why nothing more was heard of it before it had played its part, or "".
	Lost string
}

// A ClockCheck is what two workers hear of one another's speakers. What their clocks are apart
// makes one way look longer and the other shorter; half of the difference is by how much they
// are, if the ways are alike. It is a check of the bounds, and goes into no figure.
//
// Where only one of them has mics, what the other hears of them is held against what the one
// hears of them itself. Their ways to the server may be of different lengths then, but hardly by
// more than the bounds: who is far from the server is far from the coordinator, or from a worker
// that is near the server.
type ClockCheck struct {
	A, B string // the workers' names
	// Apart is by how much B's clock is ahead of A's by that.
	Apart time.Duration
	// Bound is by how much it may be at most, by the exchanges with the coordinator.
	Bound time.Duration
	// OneWay means that only one of them has mics.
	OneWay bool
}

// unlikeWays is what the ways of two workers may differ by.
const unlikeWays = time.Millisecond

// Contradicts reports whether the clocks are farther apart than their bounds allow, or the ways
// of the two workers are less alike than by a millisecond.
func (c ClockCheck) Contradicts() bool { return c.Apart.Abs() > c.Bound+unlikeWays }

// Server describes the machine of the server under test.
type Server struct {
	// Cores is how many cores the server may use; 0 if that is unknown.
	Cores int
	// Local means that it is the generator's machine.
	Local bool
	// Died means that its process, which was measured, ended during the run.
	Died bool

	// Thread is the busiest of its threads in the measured window, and ThreadCores how many
	// cores that used; "" and 0 if that is unknown.
	Thread      string
	ThreadCores float64
	// Drops is how many packets it dropped in the measured window, or its sockets did, by
	// where.
	Drops map[string]uint64
	// Available is how much of its machine's Memory could be used at the end, in bytes; both
	// are 0 if that is unknown.
	Available, Memory uint64
	// Link is the busiest network interface between the two machines on the generator's
	// side; the zero LinkLoad if that is unknown.
	Link host.LinkLoad
}

// describe enters what is known of the server's machine between two samples.
func (s *Server) describe(before, after usage.Sample) {
	window := after.At - before.At
	if before.Details != nil && after.Details != nil {
		thread, used := after.Details.Busiest(*before.Details)
		if used > 0 && window > 0 {
			s.Thread, s.ThreadCores = process.ThreadName(thread), used.Seconds()/window.Seconds()
		}
		s.Drops = after.Details.DropsSince(*before.Details)
	}
	if s.Local {
		s.Available, s.Memory = host.MachineMemory()
	} else {
		s.Link, _ = host.BusiestLink(before.Links, after.Links, window)
	}
}

// A Span holds the times, on the run's clock, at which the arrivals, the hold and the
// steady state began and the steady state ended.
type Span struct{ Arrivals, Hold, Steady, Stop time.Duration }

// Combine builds the result from what the aggregator knows of the listeners, and the
// processes of themselves.
func (r *Scoreboard) Combine(doubts doubt.Sum, tallies []*tally.Tally, hosts []string, interrupted bool, span Span, before, after usage.Sample) *Result {
	totals := r.Aggregator.Totals()
	values := totals.Values
	sum := tally.Total(tallies, hosts)
	sum.Publish(values, totals.Best, r.Scenario.Invites())

	died, toTheEnd := false, true
	if last := r.LastUse(); after.Server == nil && last != nil {
		died = after.Ended
		toTheEnd = died // what it used after the last time that it could be measured is not known
		after = *last   // this is what it used until then
		values.Set("server_rss", metric.Gauge(after.Server.Memory))
	}
	window := (after.At - before.At).Seconds()
	if before.Server != nil && after.Server != nil && window > 0 {
		values.Set("server_rss", metric.Gauge(max(before.Server.Memory, after.Server.Memory, r.peak.Load())))
	}
	if used, known := usage.ServerCPU(before, after); known && toTheEnd && window > 0 {
		cpu := used.Seconds()
		values.Set("server_cpu", metric.Gauge(cpu/window))
		if cpu > 0 && r.Scenario.Listeners() > 0 {
			values.Set("packets_per_core", metric.Gauge(float64(totals.Received)/cpu))
			if totals.Excused > 0 { // the server sent them all the same
				totals.Best.Set("packets_per_core", metric.Gauge(float64(totals.Received+totals.Excused)/cpu))
			}
		}
	}
	r.Aggregator.Answer(values, totals.Best, r.Scenario.Thresholds)
	result := &Result{
		Scenario: r.Scenario.Name, Seed: r.Scenario.Seed,
		Driver: r.Driver.Capabilities().Driver, Target: urltext.Safe(r.Driver.Target()),
		Rooms: r.Scenario.Rooms, Speakers: r.Scenario.Rooms * r.Scenario.OnStage(), Seats: r.Scenario.Rooms * r.Scenario.Listeners(), Mics: sum.Uplinks.Mics,
		Began: r.began, Arrivals: span.Hold - span.Arrivals, Steady: span.Stop - span.Steady,
		Values: values, Best: totals.Best, Doubts: doubts, Groups: r.Aggregator.Groups(), Foreign: totals.Foreign, Elsewhere: totals.Elsewhere, Mistimed: totals.Mistimed, PerhapsMistimed: totals.PerhapsMistimed, Marked: r.marked(),
		Series: r.Aggregator.Series(), Marks: r.Aggregator.Marks(), Losses: sum.Losses, Aborted: r.gate.aborted(), Interrupted: interrupted, Crowd: totals.Crowd, Probes: totals.Probes,
		Environment: host.CurrentEnvironment(),
	}
	result.Server.Died = died
	if result.Server.Local = SameMachine(r.Config); result.Server.Local {
		result.Server.Cores = result.Environment.CPUs
	} else if after.Server != nil {
		result.Server.Cores = after.Server.Cores
	}
	result.Server.describe(before, after)
	return result
}
