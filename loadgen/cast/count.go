package cast

import (
	"context"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// Tally returns what the process has counted so far. Lag is since the last call.
func (c *Cast) Tally(steady *usage.Sample, now usage.Sample) *tally.Tally {
	counts := c.counted()
	t := &tally.Tally{
		SocketDrops: counts.dropped, MachineDrops: c.Health.MachineDrops(), PacketsPerDrop: c.clients.crowd.PacketsPerDrop(),
		Unstamped: counts.unstamped, Unauthentic: counts.unauthentic, Replayed: counts.replayed,
		ClockStep: c.Health.ClockStep(), CPUs: c.Cores, Quota: now.Group.Quota, Memory: now.Memory,
		Problems: c.Problems.List(),
	}
	if c.others != nil {
		t.Lag = c.Health.TakeLag()
	} else {
		t.Lag = c.Health.Lag()
	}
	late := c.Health.Latest()
	t.SendLag, t.JoinLag, t.ReadLag = late[0], late[1], late[2]
	t.Mics, t.Published = c.Uplinks.Counts()
	t.Asked, t.Recovered = c.clients.nacks.Counts()
	if steady != nil {
		if window := (now.At - steady.At).Seconds(); window > 0 {
			t.CPU, t.CPUWait = (now.Own-steady.Own).Seconds()/window, max(0, (now.Wait-steady.Wait).Seconds()/window)
		}
	}
	return t
}

// Final is what is known at the end, before anything is scored.
func (c *Cast) Final(ctx context.Context) *tally.Final {
	f := &tally.Final{Worst: map[string]*metric.Trend{}, Best: map[string]*metric.Trend{}}
	unknown := c.clients.nacks.Finish(c.Aggregator.LostResends)
	f.Excused = unknown + c.Aggregator.ExcusedResends()
	worst, best := metric.Values{}, metric.Values{}
	c.moderation.Packets(worst, best)
	c.moderation.Durations(&c.Aggregator.Doubts, worst, best)
	for name, v := range worst {
		f.Worst[name] = v.(*metric.Trend)
		f.Best[name] = f.Worst[name]
		if b, doubted := best[name].(*metric.Trend); doubted {
			f.Best[name] = b
		}
	}
	f.NoShows = c.Rooms.noShows(c.Share)
	known := c.Rooms.reported() // before the others are waited for
	mics, err := micSums(ctx, c.others, known)
	c.Problems.Add("ask for the mics of other workers", err)
	f.Losses = tally.PlaceLosses(known, c.Lost(), mics)
	if c.others != nil {
		f.Crossed = map[int]*metric.Trend{}
		c.Rooms.crossed(f.Crossed)
	}
	f.Uplinks = c.Uplinks.Sum(&c.Aggregator.Doubts, c.counted().dropped+c.Health.MachineDrops().Total())
	return f
}

// clientCounts are how many packets the clients' sockets dropped, of how many they lost the receive time, how many were not
// authentic, and how many were replays.
type clientCounts struct{ dropped, unstamped, unauthentic, replayed uint64 }

// Settle settles every room's accounts, and returns up to where.
func (c *Cast) Settle() (settled timebase.Bin) {
	now := c.Clock.Now()
	settled = c.Rooms.settle(now)
	c.Aggregator.Drain(now, settled)
	c.clients.nacks.Settle(now, c.Aggregator.LostResends)
	return settled
}

// Lost is how many packets have been dropped on the generator's side.
func (c *Cast) Lost() uint64 {
	return c.counted().dropped + c.Health.MachineDrops().Total()*c.clients.crowd.PacketsPerDrop()
}

// lostByAll is how many packets have been dropped on the sides of all processes that play the run, as
// far as is known here.
func (c *Cast) lostByAll() uint64 {
	if c.others == nil {
		return c.Lost()
	}
	return c.Lost() + c.others.OthersDropped()
}

// counted is what the clients have counted until the measuring ended.
func (c *Cast) counted() (counts clientCounts) {
	if ended := c.atEnd.Load(); ended != nil {
		return *ended
	}
	counts.dropped, counts.unstamped = c.Rooms.losses()
	counts.dropped += c.clients.crowd.Dropped()
	counts.unauthentic, counts.replayed = c.clients.refused()
	return counts
}

// EndMeasuring ends what the process measures of itself, of mics and of what listeners ask for again. Mics still send
// and listeners still read afterwards, while the process waits for other workers, the results are summed up and the
// audio is scored. That takes all cores there are, which a server on this machine lacks, too. What of the measured was
// in doubt is known later.
func (c *Cast) EndMeasuring() {
	c.Health.End()
	counts := c.counted()
	c.atEnd.Store(&counts)
	c.clients.nacks.End(c.Clock.Now())
	c.Rooms.release()
}
