package fanout

import (
	"slices"
	"time"
)

// group is the ears of a lane that hear one mix. It belongs to the shard's goroutine.
type group struct {
	lane  *lane
	subs  []*Subscription
	sinks []Sink // theirs, in the same order
	// waiting is what is to be sent next to all of them, and joined who joined amid it.
	waiting []Packet
	joined  []*Subscription
	mayWait bool // they are audience, and not on stage
	relay   bool // they are no ears, but pass on to other routers
	// last is the newest packet of each slot that went out.
	last []Packet
	// history is what went out to each slot lately.
	history []history
}

func (g *group) add(sub *Subscription) {
	g.subs = append(g.subs, sub)
	g.sinks = append(g.sinks, sub.sink)
	sub.group = g
}

func (g *group) remove(sub *Subscription) {
	sub.group = nil
	if i := slices.Index(g.joined, sub); i >= 0 {
		g.joined = slices.Delete(g.joined, i, i+1)
	}
	if i := slices.Index(g.subs, sub); i >= 0 {
		n := len(g.subs) - 1
		g.subs[i] = g.subs[n]
		g.subs[n] = nil
		g.subs = g.subs[:n]
		g.sinks[i] = g.sinks[n]
		g.sinks[n] = nil
		g.sinks = g.sinks[:n]
	}
}

// left is how long what waits may still be held, for a shard that rests until then.
func (g *group) left(now, resting time.Time) time.Duration {
	if !g.mayWait {
		return 0
	}
	left := max(g.waiting[0].Arrived.Add(g.lane.hold).Sub(now), resting.Sub(now))
	return min(left, g.lane.hold+maxRest)
}

// dropOld drops the packets that wait and are too old.
func (g *group) dropOld(now time.Time) {
	oldest, kept := g.lane.maxAge, 0
	if g.mayWait {
		oldest += g.lane.hold
	}
	for _, p := range g.waiting {
		if now.Sub(p.Arrived) <= oldest {
			g.waiting[kept] = p
			kept++
			continue
		}
		g.lane.dropped.Add(1)
		g.lane.done(1)
		for _, sub := range g.joined {
			if sub.from > kept { // it is one of those before it joined
				sub.from--
			}
		}
	}
	clear(g.waiting[kept:])
	g.waiting = g.waiting[:kept]
}

// record keeps the newest packets of a slot.
func (g *group) record(p *Packet) {
	last := &g.last[p.Section]
	if last.Frame == nil || int16(p.Seq-last.Seq) > 0 {
		*last = *p
	}
	g.history[p.Section].add(p)
}

// clear counts what waited as done.
func (g *group) clear() {
	g.lane.done(len(g.waiting))
	clear(g.waiting)
	g.waiting = g.waiting[:0]
	for _, sub := range g.joined {
		sub.from = 0
	}
	clear(g.joined)
	g.joined = g.joined[:0]
}
