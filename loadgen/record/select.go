package record

import (
	"cmp"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A reading is how a metric of listeners is read from their sums: in the worst case,
// and in the best. A nil best is a metric that is never in doubt.
type reading struct{ worst, best func(*sums) metric.Value }

// perListener is how each metric of listeners is read. An aggregator knows it for all of
// them or for some.
var perListener = map[string]reading{
	"joined": {
		worst: func(s *sums) metric.Value { return s.joined },
		best:  func(s *sums) metric.Value { return s.joined.Excuse(s.lostJoins) },
	},
	"onset_clip": heard("onset_clip", reading{
		worst: func(s *sums) metric.Value { return &s.onsets },
		best:  func(s *sums) metric.Value { return s.bestOnsets() },
	}),
	"duplicates": {worst: func(s *sums) metric.Value { return metric.Counter(s.duplicates) }},
	"out_of_order": {
		worst: func(s *sums) metric.Value { return metric.Counter(s.outOfOrder) },
		best:  func(s *sums) metric.Value { return metric.Counter(s.outOfOrder - min(s.resent, s.drops)) },
	},
	"join_duration": {
		worst: func(s *sums) metric.Value { return &s.joins },
		best:  (*sums).bestJoins,
	},
	"join_step": {
		worst: func(s *sums) metric.Value { return &s.steps.of(s.step).worst },
		best:  func(s *sums) metric.Value { return &s.steps.of(s.step).best },
	},
	"delivered": {
		worst: func(s *sums) metric.Value { return s.delivered },
		best:  func(s *sums) metric.Value { return s.delivered.Excuse(s.excused + s.dropped + s.ambiguous) },
	},
	"latency": {
		worst: (*sums).worstLatency,
		best:  (*sums).bestLatency,
	},
	"unrecognised": {
		worst: func(s *sums) metric.Value { return metric.Rate{Passes: s.unknown, Total: s.unknown + s.known} },
		best: func(s *sums) metric.Value {
			return metric.Rate{Passes: s.unknown - min(s.unknown, s.ambiguous), Total: s.unknown + s.known}
		},
	},
	"jitter":           hit(func(e *experiences) *metric.Trend { return &e.jitters }),
	"audio_gap":        heard("audio_gap", hit(func(e *experiences) *metric.Trend { return &e.gaps })), // the start of a turn is among it, which nobody is owed
	"loss":             heard("loss", experienced("loss", func(e *experiences) *metric.Trend { return &e.losses })),
	"concealed":        heard("concealed", experienced("concealed", func(e *experiences) *metric.Trend { return &e.concealed })),
	"gaps_per_minute":  heard("gaps_per_minute", experienced("gaps_per_minute", func(e *experiences) *metric.Trend { return &e.dropouts })),
	"latency_listener": hit(func(e *experiences) *metric.Trend { return &e.latencies }),
	"frozen_time":      heard("frozen_time", experienced("frozen_time", func(e *experiences) *metric.Trend { return &e.frozen })),
	"mos_worst":        heard("mos_worst", experienced("mos_worst", func(e *experiences) *metric.Trend { return &e.lowest })),
	"rtt":              experienced("rtt", func(e *experiences) *metric.Trend { return &e.trips }),
	"mos":              heard("mos", experienced("mos", func(e *experiences) *metric.Trend { return &e.quality })),
	"audio_score":      experienced("audio_score", func(e *experiences) *metric.Trend { return &e.scores }),
}

// heard reads a metric of what was heard, of which nothing is known at best where many packets fit
// several frames: they are not among what was played.
func heard(name string, r reading) reading {
	d, _ := metric.Lookup(name)
	return reading{worst: r.worst, best: func(s *sums) metric.Value {
		if s.placement().doubtful() {
			return spotless(r.worst(s).(*metric.Trend), d.HigherIsBetter())
		}
		return r.best(s)
	}}
}

// spotless is as many samples as a trend has, of listeners who heard all that there was: nothing is
// missing, and the opinion score is the highest there is.
func spotless(of *metric.Trend, higherIsBetter bool) *metric.Trend {
	all := &metric.Trend{}
	if higherIsBetter {
		all.RecordN(emodel.HighestOpinion, of.Count())
	} else {
		all.RecordN(0, of.Count())
	}
	return all
}

// hit reads a metric with one sample per listener, of which lower values are better, and which drops
// touch even where nothing was lost by them.
func hit(of func(*experiences) *metric.Trend) reading {
	return reading{
		worst: func(s *sums) metric.Value { return of(&s.worst) },
		best: func(s *sums) metric.Value {
			all := s.allotted.best(of, s.drops, false)
			all.Merge(of(&s.best))
			return all
		},
	}
}

// experienced reads a metric with one sample per listener.
func experienced(name string, of func(*experiences) *metric.Trend) reading {
	return reading{
		worst: func(s *sums) metric.Value { return of(&s.worst) },
		best: func(s *sums) metric.Value {
			d, _ := metric.Lookup(name)
			all := s.allotted.best(of, s.droppedEver, d.HigherIsBetter())
			all.Merge(of(&s.best))
			return all
		},
	}
}

// Present is the metrics of all listeners that are known before the end: of the
// joins as they are now, and of what was received as of some seconds ago. Best has
// what they are at best, where they are in doubt.
func (a *Aggregator) Present() (values, best metric.Values) {
	all := a.sum(metric.Selector{})
	values, best = metric.Values{}, metric.Values{}
	for name := range perListener {
		if d, _ := metric.Lookup(name); d.Parts.Live {
			all.enter(name, name, values, best)
		}
	}
	return values, best
}

// choose is the cells of the selected listeners.
func (a *Aggregator) choose(s metric.Selector) []*Cell {
	return a.chooseOf(func(l Labels) bool { return selected(l, s) })
}

// chooseOf is the cells of the people with some labels.
func (a *Aggregator) chooseOf(of func(Labels) bool) []*Cell {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	return ofPeople(a.record.cells, of)
}

// selected reports whether listeners with these labels are selected.
func selected(l Labels, s metric.Selector) bool {
	role := s.Role
	if role == "" {
		role = Audience
	}
	return l.Role == role && (s.Network == "" || s.Network == l.Network) && (s.Node == "" || s.Node == l.Node) && (s.Transport == "" || s.Transport == l.transport())
}

// sums is the figures of some listeners.
type sums struct {
	closed
	delivered metric.Rate
	excused   uint64
	droppedPackets
	drops            uint64 // how many packets the generator's side dropped in all
	latency, fastest metric.Trend
	again            resentLatency // what rests on drops, in the place of fastest
	doubted          bool          // the best is another than latency
	joined           metric.Rate
	lostJoins        uint64
	joins            metric.Trend
	known, unknown   uint64
	foreign          uint64
	elsewhere        uint64
	ambiguous        uint64
	mistimed         uint64
	perhapsMistimed  uint64
	resent           uint64 // of outOfOrder, those of listeners who ask again for what the generator drops
	step             string // which is asked for; "" is the slowest
}

// sum adds up the selected listeners.
func (a *Aggregator) sum(s metric.Selector) *sums {
	return a.sumOf(s, func(l Labels) bool { return selected(l, s) })
}

// sumOf adds up the people with some labels; of the selector its phase and step count.
func (a *Aggregator) sumOf(s metric.Selector, of func(Labels) bool) *sums {
	all := &sums{step: s.Step}
	chosen := a.chooseOf(of)
	crowd := slices.ContainsFunc(chosen, func(c *Cell) bool { return !c.Probe })
	all.droppedPackets = a.record.dropped(chosen, s.Phase)
	for _, c := range chosen {
		all.add(a.record, c, s.Phase, a.drops.Load())
		if c.Probe && crowd {
			continue // a join of theirs has the timers of their own stack in it
		}
		all.joins.Merge(c.joins.Snapshot())
		c.mu.Lock()
		all.joinsBest.Merge(&c.joinsBest)
		all.lateJoins += c.lateJoins
		all.steps.merge(&c.steps)
		c.mu.Unlock()
	}
	return all
}

// add adds a cell's figures: of a phase, or if it is "" of what is measured
// without one. The generator has dropped so many packets.
func (a *sums) add(r *record, c *Cell, phase string, drops uint64) {
	r.mu.Lock()
	number, steady := r.number(phase), r.number(Steady)
	r.mu.Unlock()
	a.drops = drops
	a.joined.Passes += uint64(c.heard.Load())
	a.lostJoins += uint64(max(0, c.lostJoins.Load()))
	a.known += c.known.Load()
	a.unknown += c.unknown.Load()
	a.foreign += c.foreign.Load()
	a.elsewhere += c.elsewhere.Load()
	a.ambiguous += c.ambiguous.Load()
	a.mistimed += c.mistimed.Load()
	a.perhapsMistimed += c.perhapsMistimed.Load()

	c.mu.Lock()
	defer c.mu.Unlock()
	a.joined.Total += c.cast
	a.received += c.received
	a.listeners = append(a.listeners, c.listeners...)
	a.duplicates += c.duplicates
	a.outOfOrder += c.outOfOrder
	if c.AsksAgain() { // what was dropped comes again, out of its order
		a.resent += c.outOfOrder
	}
	a.onsets.Merge(&c.onsets)
	a.onsetsBest.Merge(&c.onsetsBest)
	a.onsetsUndropped.Merge(&c.onsetsUndropped)
	a.fec, a.red = a.fec.plus(c.fec), a.red.plus(c.red)
	a.worst.merge(&c.worst)
	a.best.merge(&c.best)
	a.allotted.merge(&c.allotted)
	if phase == "" {
		d := c.delivered()
		a.delivered.Passes += d.Passes
		a.delivered.Total += d.Total
		a.excused += c.excused.Load()
		number = steady
	}
	if number < 0 || number >= len(c.phases) {
		return
	}
	p := &c.phases[number]
	a.latency.Merge(&p.latency)
	a.fastest.Merge(&p.fastest)
	a.again.merge(&p.again)
	a.doubted = a.doubted || p.doubted
	if phase != "" {
		a.delivered.Passes += p.delivered.Passes
		a.delivered.Total += p.delivered.Total
		a.excused += p.excused
	}
}

// droppedPackets is what the generator may have dropped of what was for some listeners.
type droppedPackets struct {
	dropped     uint64 // of what they lost and nothing else excuses, in a phase, or if none is asked for in the run
	droppedEver uint64 // the same of the whole run
	unseen      uint64 // of all that they lost in the phase, or if none is asked for while latencies are measured
	sentAgain   uint64 // of what came late then, what may have been sent again for it
}

// dropped is what may have been dropped of what was for the listeners of some cells.
func (r *record) dropped(of []*Cell, phase string) droppedPackets {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := lossesOf(of)
	number := r.number(cmp.Or(phase, Steady))
	inPhase := func(l doubt.Losses) uint64 {
		if number < 0 || l.Phases&(1<<number) == 0 {
			return 0
		}
		return lost(l)
	}
	d := droppedPackets{
		droppedEver: r.drops.Pair(r.drops.Losses, lost),
		dropped:     r.drops.Pair(r.drops.Losses, inPhase),
		unseen:      r.drops.Pair(r.drops.Unseen, inPhase), sentAgain: r.drops.Pair(r.drops.Resent, inPhase),
	}
	if phase == "" {
		d.dropped = d.droppedEver
	}
	return d
}

// number is a phase's number, or -1 if it has not been. r.mu is held.
func (r *record) number(phase string) int {
	for i, p := range r.spans {
		if p.name == phase {
			return i
		}
	}
	return -1
}

// enter sets the value of a metric under a key, and in best what it is at best if it
// is in doubt. It does nothing if the metric is not one of listeners.
func (a *sums) enter(name, key string, values, best metric.Values) {
	read, ok := perListener[name]
	if !ok {
		return
	}
	worst := read.worst(a)
	values.Set(key, worst)
	if read.best == nil {
		return
	}
	if b := read.best(a); b != nil && differs(worst, b) {
		best.Set(key, b)
	}
}

// differs reports whether two values of a kind say something else.
func differs(a, b metric.Value) bool {
	x, ok := a.(*metric.Trend)
	if !ok {
		return a != b
	}
	y := b.(*metric.Trend)
	return x.Summary() != y.Summary()
}

// placement is of all packets but those that fit no frame. It is in no doubt where nothing was placed:
// it is told otherwise that nothing was.
func (a *sums) placement() placement {
	if a.known == 0 {
		return placement{}
	}
	return placement{a.known + a.unknown - min(a.unknown, a.ambiguous), a.ambiguous}
}

// bestOnsets is what was missed of the starts of turns in the best case: a packet that was dropped
// is of one listener's turn.
func (a *sums) bestOnsets() metric.Value {
	if a.drops == 0 {
		return &a.onsetsUndropped
	}
	return metric.Lowest([]*metric.Trend{&a.onsetsUndropped, &a.onsetsBest}, []uint64{a.drops, 0})
}

// worstLatency is the latency in the worst case.
func (a *sums) worstLatency() metric.Value {
	return a.placement().withUnseen(a.placement().latencyWith(&a.latency, Lateness), a.unseen)
}

// bestLatency is the latency in the best case; nil if there is no doubt.
func (a *sums) bestLatency() metric.Value {
	if !a.doubted && !a.placement().doubtful() && !a.placement().muchUnseen(a.unseen) {
		return nil
	}
	all := &metric.Trend{}
	all.Merge(&a.fastest)
	all.Merge(a.again.best(a.sentAgain))
	return a.placement().latencyWith(all, 0)
}

// bestJoins is how long joins took in the best case; nil if there is no doubt.
func (a *sums) bestJoins() metric.Value {
	if a.lateJoins == 0 {
		return nil
	}
	return &a.joinsBest
}
