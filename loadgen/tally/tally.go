package tally

import (
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
)

// A Tally is what one generator process counted beside what its listeners received. Lag
// and the trends add up; the rest is of the run so far.
type Tally struct {
	// Lag is how late it sent, joined and read since the last tally.
	Lag *metric.Trend `json:"lag,omitempty"`

	SocketDrops    uint64     `json:"socket_drops"`
	MachineDrops   host.Drops `json:"machine_drops"`
	PacketsPerDrop uint64     `json:"packets_per_drop"`
	Unstamped      uint64     `json:"unstamped"`
	Unauthentic    uint64     `json:"unauthentic"`
	Replayed       uint64     `json:"replayed"`
	Asked          uint64     `json:"asked"`
	Recovered      uint64     `json:"recovered"`

	SendLag   time.Duration `json:"send_lag"` // each the 99th percentile
	JoinLag   time.Duration `json:"join_lag"`
	ReadLag   time.Duration `json:"read_lag"`
	ClockStep time.Duration `json:"clock_step"`
	CPU       float64       `json:"cpu"` // in the steady state, as far as it has come
	CPUWait   float64       `json:"cpu_wait"`
	CPUs      int           `json:"cpus"`
	Quota     float64       `json:"quota"`
	// NowCPU and Memory are what the process used at last, in cores and bytes.
	NowCPU float64 `json:"now_cpu"`
	Memory uint64  `json:"memory"`

	// Mics is how many mics there have been, and Published how many have opened.
	Mics      int               `json:"mics"`
	Published int               `json:"published"`
	Problems  []problem.Problem `json:"problems,omitempty"`
	// Final is there when the run has ended.
	Final *Final `json:"final,omitempty"`
}

// A Final is what is known at the end.
type Final struct {
	Worst, Best map[string]*metric.Trend // of the timeline's metrics
	NoShows     uint64
	// Excused is how many of the packets that were asked for again and did not come may have
	// come but for the generator.
	Excused uint64
	Losses  Losses
	Uplinks UplinkSum
	// Crossed is the latency of what the probes heard, by the worker that sent it.
	Crossed map[int]*metric.Trend
}

// Generator is the process's own account of itself.
func (t *Tally) Generator() Generator {
	return Generator{
		CPU: t.CPU, CPUs: t.CPUs, Quota: t.Quota, CPUWait: t.CPUWait, SendLag: t.SendLag, JoinLag: t.JoinLag, ReadLag: t.ReadLag,
		SocketDrops: t.SocketDrops, MachineDrops: t.MachineDrops, Unstamped: t.Unstamped, ClockStep: t.ClockStep,
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

// A Sum is what several generator processes counted, together.
type Sum struct {
	lag                                              *metric.Trend
	Lost                                             uint64
	unauthentic, replayed, asked, recovered, excused uint64
	noShows                                          uint64
	worst, best                                      map[string]*metric.Trend
	Losses                                           Losses
	Uplinks                                          UplinkSum
}

// Publish sets the metrics that the processes know of, at worst and at best. The first have
// what the listeners counted. invites means that people are invited who may not come.
func (s *Sum) Publish(worst, best metric.Values, invites bool) {
	if duplicates, ok := worst["duplicates"].(metric.Counter); ok {
		// A duplicate does not pass SRTP's replay protection.
		worst.Set("duplicates", duplicates+metric.Counter(s.replayed))
	}
	if s.asked > 0 {
		recovered := metric.Rate{Passes: s.recovered, Total: s.asked}
		for _, name := range []string{"recovered", "recovered" + metric.Selector{By: "nack"}.String()} {
			worst.Set(name, recovered)
			if s.excused > 0 {
				best.Set(name, recovered.Excuse(s.excused))
			}
		}
	}
	for name, slow := range s.worst {
		setBounds(name, slow, s.best[name], worst, best)
	}
	s.Uplinks.publish(worst, best)
	if invites {
		worst.Set("no_shows", metric.Counter(s.noShows))
	}
	worst.Set("generator_lag", s.lag)
	worst.Set("generator_drops", metric.Counter(s.Lost))
	worst.Set("unauthentic", metric.Counter(s.unauthentic))
}

// Total adds up tallies. What a machine dropped all its processes see, so that it counts
// once for each of the hosts; without hosts each has its own.
func Total(tallies []*Tally, hosts []string) Sum {
	sum := Sum{lag: &metric.Trend{}, worst: map[string]*metric.Trend{}, best: map[string]*metric.Trend{}}
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
		sum.Lost += t.SocketDrops
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
		sum.Losses.add(t.Final.Losses)
		sum.Uplinks.add(t.Final.Uplinks)
		mergeByName(sum.worst, t.Final.Worst)
		mergeByName(sum.best, t.Final.Best)
	}
	for _, n := range machines {
		sum.Lost += n
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
