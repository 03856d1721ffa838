package loadgen

import (
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
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
	Crowd, Probes record.Share
	// Generator is the process that generated the load, or all of the workers.
	Generator Generator
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
	WorkerInfo
	Generator Generator
	// ClockAhead is by how much its clock was ahead of the coordinator's at last beyond what
	// it was at the start, and ClockBound by how much that may be wrong. ClockTrouble is why
	// its clock could not be relied on.
	ClockAhead, ClockBound time.Duration
	ClockTrouble           string
	// Lost is why nothing more was heard of it before it had played its part, or "".
	Lost string
}

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
func (s *Server) describe(before, after sample) {
	window := after.at - before.at
	if before.details != nil && after.details != nil {
		thread, used := after.details.Busiest(*before.details)
		if used > 0 && window > 0 {
			s.Thread, s.ThreadCores = host.ThreadName(thread), used.Seconds()/window.Seconds()
		}
		s.Drops = after.details.DropsSince(*before.details)
	}
	if s.Local {
		s.Available, s.Memory = host.MachineMemory()
	} else {
		s.Link, _ = host.BusiestLink(before.links, after.links, window)
	}
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

// result builds the result of a run that one process has played.
func (r *run) result(final *FinalTally, interrupted bool, span Span, before, after sample) *Result {
	t := r.tally(&before, after)
	t.Final = final
	result := r.combine(r.aggregator.Doubted(), []*Tally{t}, nil, interrupted, span, before, after)
	result.Generator = t.generator()
	return result
}

// combine builds the result from what the aggregator knows of the listeners, and the
// processes of themselves.
func (r *scoreboard) combine(doubts doubt.Sum, tallies []*Tally, hosts []string, interrupted bool, span Span, before, after sample) *Result {
	totals := r.aggregator.Totals()
	values := totals.Values
	sum := total(tallies, hosts)
	if duplicates, ok := values["duplicates"].(metric.Counter); ok {
		// A duplicate does not pass SRTP's replay protection.
		values.Set("duplicates", duplicates+metric.Counter(sum.replayed))
	}
	if sum.asked > 0 {
		recovered := metric.Rate{Passes: sum.recovered, Total: sum.asked}
		for _, name := range []string{"recovered", "recovered" + metric.Selector{By: "nack"}.String()} {
			values.Set(name, recovered)
			if sum.excused > 0 {
				totals.Best.Set(name, recovered.Excuse(sum.excused))
			}
		}
	}
	for name, worst := range sum.worst {
		setBounds(name, worst, sum.best[name], values, totals.Best)
	}
	sum.uplinks.publish(values, totals.Best)
	if r.Scenario.Invites() {
		values.Set("no_shows", metric.Counter(sum.noShows))
	}
	values.Set("generator_lag", sum.lag)
	values.Set("generator_drops", metric.Counter(sum.lost))
	values.Set("unauthentic", metric.Counter(sum.unauthentic))

	_, process := r.Server.(host.ProcessMeter)
	died, toTheEnd := false, true
	if last := r.used.Load(); after.server == nil && last != nil {
		died = after.ended
		toTheEnd = died // what it used after the last time that it could be measured is not known
		after = *last   // this is what it used until then
		values.Set("server_rss", metric.Gauge(after.server.Memory))
	}
	window := (after.at - before.at).Seconds()
	if before.server != nil && after.server != nil && window > 0 {
		values.Set("server_rss", metric.Gauge(max(before.server.Memory, after.server.Memory, r.peak.Load())))
	}
	if used, known := serverCPU(before, after); known && toTheEnd && window > 0 {
		cpu := used.Seconds()
		values.Set("server_cpu", metric.Gauge(cpu/window))
		if cpu > 0 && r.Scenario.Listeners() > 0 {
			values.Set("packets_per_core", metric.Gauge(float64(totals.Received)/cpu))
			if totals.Excused > 0 { // the server sent them all the same
				totals.Best.Set("packets_per_core", metric.Gauge(float64(totals.Received+totals.Excused)/cpu))
			}
		}
	}
	r.aggregator.Answer(values, totals.Best, r.Scenario.Thresholds)
	result := &Result{
		Scenario: r.Scenario.Name, Seed: r.Scenario.Seed,
		Driver: r.Driver.Capabilities().Driver, Target: urltext.Safe(r.Driver.Target()),
		Rooms: r.Scenario.Rooms, Speakers: r.Scenario.Rooms * r.Scenario.OnStage(), Seats: r.Scenario.Rooms * r.Scenario.Listeners(), Mics: sum.uplinks.Mics,
		Began: r.began, Arrivals: span.Hold - span.Arrivals, Steady: span.Stop - span.Steady,
		Values: values, Best: totals.Best, Doubts: doubts, Groups: r.aggregator.Groups(), Foreign: totals.Foreign, Elsewhere: totals.Elsewhere, Mistimed: totals.Mistimed, PerhapsMistimed: totals.PerhapsMistimed, Marked: r.marked(),
		Series: r.aggregator.Series(), Marks: r.aggregator.Marks(), Losses: sum.losses, Aborted: r.gate.aborted(), Interrupted: interrupted, Crowd: totals.Crowd, Probes: totals.Probes,
		Environment: host.CurrentEnvironment(),
	}
	result.Server.Died = died
	if result.Server.Local = process || r.Driver.Loopback(); result.Server.Local {
		result.Server.Cores = result.Environment.CPUs
	} else if after.server != nil {
		result.Server.Cores = after.server.Cores
	}
	result.Server.describe(before, after)
	return result
}

// A sum is what several generator processes counted, together.
type tallySum struct {
	lag                                              *metric.Trend
	lost                                             uint64
	unauthentic, replayed, asked, recovered, excused uint64
	noShows                                          uint64
	worst, best                                      map[string]*metric.Trend
	losses                                           Losses
	uplinks                                          uplinkSum
}

// total adds up tallies. What a machine dropped all its processes see, so that it counts
// once for each of the hosts; without hosts each has its own.
func total(tallies []*Tally, hosts []string) tallySum {
	sum := tallySum{lag: &metric.Trend{}, worst: map[string]*metric.Trend{}, best: map[string]*metric.Trend{}}
	machines := map[string]uint64{}
	for i, t := range tallies {
		if t == nil {
			continue
		}
		at := fmt.Sprint(i)
		if hosts != nil {
			at = hosts[i]
		}
		if t.Lag != nil {
			sum.lag.Merge(t.Lag)
		}
		sum.lost += t.SocketDrops
		machines[at] = max(machines[at], t.MachineDrops.Total()*t.PacketsPerDrop)
		sum.unauthentic += t.Unauthentic
		sum.replayed += t.Replayed
		sum.asked += t.Asked
		sum.recovered += t.Recovered
		if t.Final == nil {
			continue
		}
		sum.noShows += t.Final.NoShows
		sum.excused += t.Final.Excused
		sum.losses.add(t.Final.Losses)
		sum.uplinks.add(t.Final.Uplinks)
		mergeByName(sum.worst, t.Final.Worst)
		mergeByName(sum.best, t.Final.Best)
	}
	for _, n := range machines {
		sum.lost += n
	}
	return sum
}

func mergeByName(into, of map[string]*metric.Trend) {
	for name, t := range of {
		if into[name] == nil {
			into[name] = &metric.Trend{}
		}
		into[name].Merge(t)
	}
}

// setBounds sets a trend's worst and best case. A best case that says the same is left out:
// nothing of the trend is in doubt then.
func setBounds(name string, worst, best *metric.Trend, atWorst, atBest metric.Values) {
	atWorst.Set(name, worst)
	if worst.Summary() != best.Summary() {
		atBest.Set(name, best)
	}
}
