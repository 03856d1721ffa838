package loadgen

import (
	"context"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// tally returns what the process has counted so far. Lag is since the last call.
func (r *run) tally(steady *usage.Sample, now usage.Sample) *tally.Tally {
	counts := r.counted()
	t := &tally.Tally{
		SocketDrops: counts.dropped, MachineDrops: r.health.MachineDrops(), PacketsPerDrop: r.clients.crowd.PacketsPerDrop(),
		Unstamped: counts.unstamped, Unauthentic: counts.unauthentic, Replayed: counts.replayed,
		ClockStep: r.health.ClockStep(), CPUs: r.cores, Quota: now.Group.Quota, Memory: now.Memory,
		Problems: r.problems.List(),
	}
	if r.peers != nil {
		t.Lag = r.health.TakeLag()
	} else {
		t.Lag = r.health.Lag()
	}
	if r.lastLoad.GeneratorCPU != nil {
		t.NowCPU = *r.lastLoad.GeneratorCPU
	}
	late := r.health.Latest()
	t.SendLag, t.JoinLag, t.ReadLag = late[0], late[1], late[2]
	t.Mics, t.Published = r.uplinks.Counts()
	t.Asked, t.Recovered = r.clients.nacks.Counts()
	if steady != nil {
		if window := (now.At - steady.At).Seconds(); window > 0 {
			t.CPU, t.CPUWait = (now.Own-steady.Own).Seconds()/window, max(0, (now.Wait-steady.Wait).Seconds()/window)
		}
	}
	return t
}

// final is what is known at the end, before anything is scored.
func (r *run) final(ctx context.Context) *tally.Final {
	f := &tally.Final{Worst: map[string]*metric.Trend{}, Best: map[string]*metric.Trend{}}
	unknown := r.clients.nacks.Finish(r.aggregator.LostResends)
	f.Excused = unknown + r.aggregator.ExcusedResends()
	worst, best := metric.Values{}, metric.Values{}
	r.moderation.Packets(worst, best)
	r.moderation.Durations(r.aggregator, worst, best)
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
	r.problems.Add("ask for the mics of other workers", err)
	f.Losses = tally.PlaceLosses(known, r.lost(), mics)
	if r.peers != nil {
		f.Crossed = map[int]*metric.Trend{}
		for _, h := range r.rooms {
			h.ledger.Crossed(f.Crossed)
		}
	}
	f.Uplinks = r.uplinks.Sum(r.aggregator, r.counted().dropped+r.health.MachineDrops().Total())
	return f
}
