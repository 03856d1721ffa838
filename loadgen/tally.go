package loadgen

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
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
	Mics      int       `json:"mics"`
	Published int       `json:"published"`
	Problems  []Problem `json:"problems,omitempty"`
	// Final is there when the run has ended.
	Final *FinalTally `json:"final,omitempty"`
}

// A FinalTally is what is known at the end.
type FinalTally struct {
	Worst, Best map[string]*metric.Trend // of the timeline's metrics
	NoShows     uint64
	// Excused is how many of the packets that were asked for again and did not come may have
	// come but for the generator.
	Excused uint64
	Losses  Losses
	Uplinks uplinkSum
	// Crossed is the latency of what the probes heard, by the worker that sent it.
	Crossed map[int]*metric.Trend
}

// generator is the process's own account of itself.
func (t *Tally) generator() Generator {
	return Generator{
		CPU: t.CPU, CPUs: t.CPUs, Quota: t.Quota, CPUWait: t.CPUWait, SendLag: t.SendLag, JoinLag: t.JoinLag, ReadLag: t.ReadLag,
		SocketDrops: t.SocketDrops, MachineDrops: t.MachineDrops, Unstamped: t.Unstamped, ClockStep: t.ClockStep,
	}
}

// tally returns what the process has counted so far. Lag is since the last call.
func (r *run) tally(steady *sample, now sample) *Tally {
	counts := r.counted()
	t := &Tally{
		SocketDrops: counts.dropped, MachineDrops: r.health.machineDrops(), PacketsPerDrop: r.clients.crowd.PacketsPerDrop(),
		Unstamped: counts.unstamped, Unauthentic: counts.unauthentic, Replayed: counts.replayed,
		ClockStep: time.Duration(r.health.clockSteps.Load()), CPUs: r.cores, Quota: now.group.Quota, Memory: now.memory,
		Problems: r.problems.list(),
	}
	if r.peers != nil {
		t.Lag = r.health.takeLag()
	} else {
		t.Lag = r.health.lag()
	}
	if r.lastLoad.GeneratorCPU != nil {
		t.NowCPU = *r.lastLoad.GeneratorCPU
	}
	late := r.health.latest()
	t.SendLag, t.JoinLag, t.ReadLag = late[0], late[1], late[2]
	t.Mics, t.Published = r.uplinks.counts()
	t.Asked, t.Recovered = r.clients.nacks.Counts()
	if steady != nil {
		if window := (now.at - steady.at).Seconds(); window > 0 {
			t.CPU, t.CPUWait = (now.own-steady.own).Seconds()/window, max(0, (now.wait-steady.wait).Seconds()/window)
		}
	}
	return t
}

// final is what is known at the end, before anything is scored.
func (r *run) final(ctx context.Context) *FinalTally {
	f := &FinalTally{Worst: map[string]*metric.Trend{}, Best: map[string]*metric.Trend{}}
	unknown := r.clients.nacks.Finish(r.aggregator.LostResends)
	f.Excused = unknown + r.aggregator.ExcusedResends()
	worst, best := metric.Values{}, metric.Values{}
	r.moderation.packets(worst, best)
	r.moderation.durations(&r.aggregator.Doubts, worst, best)
	for name, v := range worst {
		f.Worst[name] = v.(*metric.Trend)
		f.Best[name] = f.Worst[name]
		if b, doubted := best[name].(*metric.Trend); doubted {
			f.Best[name] = b
		}
	}
	for _, h := range r.rooms {
		if r.share.owns(h.number) {
			f.NoShows += h.client.NoShows()
		}
	}
	known := r.rooms.reported() // before the others are waited for
	mics, err := r.micSums(ctx, known)
	r.problems.add("ask for the mics of other workers", err)
	f.Losses = placeLosses(known, r.lost(), mics)
	if r.peers != nil {
		f.Crossed = map[int]*metric.Trend{}
		for _, h := range r.rooms {
			h.ledger.Crossed(f.Crossed)
		}
	}
	f.Uplinks = r.uplinks.sum(&r.aggregator.Doubts, r.counted().dropped+r.health.machineDrops().Total())
	return f
}
