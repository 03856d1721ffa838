package cast

import (
	"errors"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Rooms are a run's rooms; a room that could not be opened is nil.
type Rooms []*roomRun

// Opened returns the rooms that were opened.
func (rs Rooms) Opened() Rooms {
	return slices.DeleteFunc(slices.Clone(rs), func(h *roomRun) bool { return h == nil })
}

// losses returns how many packets people's own sockets dropped, and for how many
// packets the receive time was lost. A run that can't open its rooms asks, too.
func (rs Rooms) losses() (dropped, unstamped uint64) {
	for _, h := range rs.Opened() {
		for _, p := range h.people() {
			d, u := p.losses()
			dropped += d
			unstamped += u
		}
	}
	return dropped, unstamped
}

// release enters what has become of the mics that are still open.
func (rs Rooms) release() {
	for _, h := range rs {
		for _, p := range h.people() {
			p.mu.Lock()
			sender := p.sender
			p.mu.Unlock()
			if sender != nil {
				sender.release()
			}
		}
	}
}

// A scheduledPerson is a person, and how long after the start of a phase they arrive or
// leave.
type scheduledPerson struct {
	after  time.Duration
	person *person
}

// arrivals returns everybody's arrival, in order.
func (rs Rooms) arrivals(s *scenario.Scenario) []scheduledPerson {
	return rs.schedule(s, 0, func(g scenario.Group) *scenario.Arrivals { return &g.Arrive })
}

// departures returns who leaves after the hold, in order.
func (rs Rooms) departures(s *scenario.Scenario) []scheduledPerson {
	return rs.schedule(s, 1000, func(g scenario.Group) *scenario.Arrivals { return g.Depart })
}

// schedule returns the times of the people of each group that has times: of listeners, or of
// those on stage where nobody is cast to listen. They are spread over all rooms: the groups of
// N rooms arrive like one group N times as large.
func (rs Rooms) schedule(s *scenario.Scenario, seed int64, times func(scenario.Group) *scenario.Arrivals) []scheduledPerson {
	var all []scheduledPerson
	listen := s.Listeners() > 0
	for g, group := range s.Cast {
		shape := times(group)
		if (group.Role == scenario.Listener) != listen || shape == nil {
			continue
		}
		after := shape.Times(group.Count*len(rs), s.Seed+seed+int64(g))
		for i, h := range rs {
			for _, p := range h.people() {
				if p.group == g {
					all = append(all, scheduledPerson{after[p.number*len(rs)+i], p})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scheduledPerson) int { return int(a.after - b.after) })
	return all
}

// Processed is before when all has been looked at that the worker's listeners received.
func (rs Rooms) Processed() time.Duration {
	processed := timebase.Never.Start()
	for _, h := range rs {
		if h != nil {
			processed = min(processed, h.ledger.Processed())
		}
	}
	return processed
}

// Known reports whether it is known what all workers had sent by a moment.
func (rs Rooms) Known(t time.Duration) bool {
	for _, h := range rs {
		if h != nil && h.ledger.Horizon().Start() <= t {
			return false
		}
	}
	return true
}

// Confirm says that all is known that was sent before a bin.
func (rs Rooms) Confirm(horizon timebase.Bin) {
	for _, h := range rs {
		if h != nil {
			h.ledger.Confirm(horizon)
		}
	}
}

// settle settles every room's accounts, and returns up to where.
func (rs Rooms) settle(now time.Duration) (settled timebase.Bin) {
	settled = timebase.BinAt(now)
	for _, h := range rs {
		settled = min(settled, h.ledger.Settle(now))
	}
	return settled
}

// Finish settles all that is left.
func (rs Rooms) Finish(now time.Duration) {
	for _, h := range rs {
		h.ledger.Finish(now)
	}
}

// Score scores what the rooms' probes heard, on so many cores, until stop returns true.
func (rs Rooms) Score(cores int, stop func() bool) error {
	var errs []error
	for _, h := range rs {
		errs = append(errs, h.ledger.ScoreProbes(cores, stop))
	}
	return errors.Join(errs...)
}

// crossed adds the latency of what the probes heard, by the worker that sent it.
func (rs Rooms) crossed(into map[int]*metric.Trend) {
	for _, h := range rs {
		h.ledger.Crossed(into)
	}
}

// noShows is how many did not come who were invited into the rooms that a share owns.
func (rs Rooms) noShows(share share.Share) (n uint64) {
	for _, h := range rs {
		if share.Owns(h.number) {
			n += h.client.NoShows()
		}
	}
	return n
}
