package record

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A window slides over a run, a bucket at a time, and gives the thresholds that
// are over it what was in it. It covers whole buckets, and so up to a bucket more
// than its length where a phase does not begin with a whole second. It lies in
// one phase, or without one in the time that its metric is measured.
type window struct {
	record     *record
	metric     string
	selector   metric.Selector
	length     time.Duration
	thresholds []metric.Threshold
	values     *metric.Windows
	recent     []part // within the window, oldest first and without a hole
}

// A part of a window is what one bucket, or one load, holds of it.
type part struct {
	from, until time.Duration
	delivered   metric.Rate
	excused     uint64
	// Packets that may have been dropped: see [doubt.Drops].
	droppable, unseen, resent doubt.Losses
	latency                   []distribution
	placement                 placement
	load                      Load
}

// Follow sets the thresholds that [Aggregator.Answer] will be asked for. It is
// called once, before anything is measured.
func (a *Aggregator) Follow(thresholds []metric.Threshold) {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	windows := map[string]*window{}
	a.record.noWindows = !slices.ContainsFunc(thresholds, func(th metric.Threshold) bool {
		d, _ := metric.Lookup(th.Metric)
		return d.Name == "mos_worst" || d.Name == "mos" && th.Over != 0
	})
	for _, th := range thresholds {
		if th.Over == 0 {
			continue
		}
		w, ok := windows[th.Source()]
		if !ok {
			d, _ := metric.Lookup(th.Metric)
			w = &window{record: a.record, metric: d.Name, selector: th.Selector, length: th.Over, values: metric.NewWindows()}
			windows[th.Source()] = w
			a.record.windows = append(a.record.windows, w)
			if w.metric == "mos" {
				a.record.qualities = append(a.record.qualities, &ScoreWindow{w, map[int64]*wordScores{}})
			}
		}
		w.thresholds = append(w.thresholds, th)
	}
}

// wants reports whether something of these phases belongs into the window. The
// record's lock is held.
func (w *window) wants(phases uint64) bool {
	phase := w.selector.Phase
	if phase == "" && w.metric == "delivered" {
		// Of which phase does not matter, but nothing is owed outside of all.
		return phases != 0
	}
	if phase == "" {
		phase = Steady
	}
	n := w.record.number(phase)
	return n >= 0 && phases&(1<<n) != 0
}

// bucket is called with every bucket once, in order, with the record's lock held.
func (w *window) bucket(s closedBucket) {
	if w.metric != "delivered" && w.metric != "latency" {
		return
	}
	p := part{from: s.from.Start(), until: s.until.Start(), droppable: s.losses(len(w.record.cells)), unseen: s.unseen(len(w.record.cells)), resent: s.resent(len(w.record.cells))}
	for _, c := range s.cells {
		if selected(w.record.cells[c.number].Labels, w.selector) {
			p.delivered.Passes += c.delivered.Passes
			p.delivered.Total += c.delivered.Total
			p.excused += c.excused
			p.placement = p.placement.plus(c.placement())
			if w.metric == "latency" {
				p.latency = append(p.latency, c.latency)
			}
		}
	}
	w.enter(p, s.phases)
}

// lost chooses what the window's listeners lost of a bucket. The record's lock is held.
func (w *window) lost() func(doubt.Losses) uint64 {
	return lossesOf(ofPeople(w.record.cells, func(l Labels) bool { return selected(l, w.selector) }))
}

// load is called with every load once, in order, with the record's lock held.
func (w *window) load(l Load, phases uint64) {
	if w.metric != "server_cpu" && w.metric != "server_rss" || l.ServerRSS == 0 {
		return
	}
	w.enter(part{from: l.From, until: l.Until, load: l}, phases)
}

// hole is how far two parts may lie apart and still follow one another.
const hole = 100 * time.Millisecond

func (w *window) enter(p part, phases uint64) {
	if !w.wants(phases) {
		w.recent = nil
		return
	}
	if n := len(w.recent); n > 0 && p.from-w.recent[n-1].until > hole {
		w.recent = nil
	}
	w.recent = append(w.recent, p)
	for len(w.recent) > 1 && p.until-w.recent[1].from >= w.length {
		w.recent[0] = part{}
		w.recent = w.recent[1:]
	}
	if p.until-w.recent[0].from < w.length {
		return
	}
	worst, best, owed := w.value()
	w.values.Count()
	for _, t := range w.thresholds {
		w.values.Enter(t, worst, best, owed, w.recent[0].from, p.until)
	}
}

// value is what the window holds at worst and at best, and whether it should hold
// something. Best is nil if there is no doubt.
func (w *window) value() (worst, best metric.Value, owed bool) {
	var delivered metric.Rate
	var excused uint64
	var losses, unseen, resent []doubt.Losses
	doubted, placement := false, placement{}
	latency, fastest, again := &metric.Trend{}, &metric.Trend{}, &resentLatency{}
	var cpu, seconds, rss float64
	for _, p := range w.recent {
		delivered.Passes += p.delivered.Passes
		delivered.Total += p.delivered.Total
		excused += p.excused
		losses, unseen, resent = append(losses, p.droppable), append(unseen, p.unseen), append(resent, p.resent)
		placement = placement.plus(p.placement)
		for _, d := range p.latency {
			d.worstInto(latency)
			d.bestInto(fastest, again)
			doubted = doubted || d.doubted()
		}
		if p.load.ServerCPU != nil {
			s := (p.until - p.from).Seconds()
			cpu, seconds = cpu+*p.load.ServerCPU*s, seconds+s
		}
		rss = max(rss, float64(p.load.ServerRSS))
	}
	excused += w.record.drops.Pair(losses, w.lost()) + placement.ambiguous
	switch w.metric {
	case "delivered":
		if excused > 0 {
			best = delivered.Excuse(excused)
		}
		return delivered, best, false
	case "latency":
		dropped := w.record.drops.Pair(unseen, w.lost())
		if latency.Count() == 0 && delivered.Total > 0 && excused >= delivered.Total-delivered.Passes {
			// Nothing came, and all of it may have come at once but for the generator.
			fastest.RecordN(0, delivered.Total)
			return latency, fastest, true
		}
		if doubted || placement.doubtful() || placement.muchUnseen(dropped) {
			fastest.Merge(again.best(w.record.drops.Pair(resent, w.lost())))
			best = placement.latencyWith(fastest, 0)
		}
		return placement.withUnseen(placement.latencyWith(latency, Lateness), dropped), best, delivered.Total > 0
	case "server_cpu":
		return metric.Gauge(cpu / seconds), nil, false // no seconds are no data
	}
	return metric.Gauge(rss), nil, false
}

// Answer enters the values that the thresholds are on and that are of parts of
// metrics: of some people, of a phase, or over a window; and into best what they
// are at best, where they are in doubt.
func (a *Aggregator) Answer(values, best metric.Values, thresholds []metric.Threshold) {
	for _, th := range thresholds {
		d, _ := metric.Lookup(th.Metric)
		switch {
		case th.Over > 0:
			a.record.mu.Lock()
			for _, w := range a.record.windows {
				if w.thresholds[0].Source() == th.Source() {
					values.Set(th.Source(), w.values.Clone())
				}
			}
			a.record.mu.Unlock()
		case th.Selector.IsZero():
		case d.Name == "recovered": // whatever there is of it is there
		case d.Name == "server_cpu" || d.Name == "server_rss":
			if v, ok := a.loadOf(d.Name, th.Selector.Phase); ok {
				values.Set(th.Metric, v)
			}
		default:
			a.sum(th.Selector).enter(d.Name, th.Metric, values, best)
		}
	}
}

// A loadSum is what the server used in one phase.
type loadSum struct {
	cpu, seconds float64
	rss          uint64
}

// enterLoad enters a load into the sums, the series and the windows. r.mu is
// held.
func (r *record) enterLoad(l Load) {
	r.series.load(l)
	phases := r.phasesAt(timebase.BinAt((l.From + l.Until) / 2))
	for len(r.loads) < len(r.spans) {
		r.loads = append(r.loads, loadSum{})
	}
	for i := range r.loads {
		if phases&(1<<i) == 0 {
			continue
		}
		if l.ServerCPU != nil {
			s := (l.Until - l.From).Seconds()
			r.loads[i].cpu += *l.ServerCPU * s
			r.loads[i].seconds += s
		}
		r.loads[i].rss = max(r.loads[i].rss, l.ServerRSS)
	}
	for _, w := range r.windows {
		w.load(l, phases)
	}
}

// loadOf is the server's use in a phase, if it is known.
func (a *Aggregator) loadOf(name, phase string) (metric.Gauge, bool) {
	r := a.record
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.number(phase)
	if i < 0 || i >= len(r.loads) || r.loads[i].seconds == 0 {
		return 0, false
	}
	if name == "server_rss" {
		return metric.Gauge(r.loads[i].rss), true
	}
	return metric.Gauge(r.loads[i].cpu / r.loads[i].seconds), true
}
