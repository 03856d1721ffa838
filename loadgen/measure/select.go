package measure

import (
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// perListener is how each metric of listeners is read from their sums. A tally
// knows it for all of them or for some.
var perListener = map[string]func(*sums) metric.Value{
	"joined":          func(s *sums) metric.Value { return s.joined },
	"join_duration":   func(s *sums) metric.Value { return &s.joins },
	"delivered":       func(s *sums) metric.Value { return s.delivered },
	"onset_clip":      func(s *sums) metric.Value { return &s.onsets },
	"latency":         func(s *sums) metric.Value { return s.latency },
	"unrecognised":    func(s *sums) metric.Value { return metric.Rate{Passes: s.unknown, Total: s.unknown + s.known} },
	"jitter":          func(s *sums) metric.Value { return &s.jitters },
	"audio_gap":       func(s *sums) metric.Value { return &s.gaps },
	"loss":            func(s *sums) metric.Value { return &s.losses },
	"concealed":       func(s *sums) metric.Value { return &s.concealed },
	"gaps_per_minute": func(s *sums) metric.Value { return &s.dropouts },
	"mos":             func(s *sums) metric.Value { return &s.quality },
	"duplicates":      func(s *sums) metric.Value { return metric.Counter(s.duplicates) },
	"out_of_order":    func(s *sums) metric.Value { return metric.Counter(s.outOfOrder) },
}

// Present is the metrics of all listeners that are known before the end: of the
// joins as they are now, and of what was received as of some seconds ago.
func (t *Tally) Present() metric.Values {
	all := t.sum(metric.Selector{})
	values := metric.Values{}
	for name, value := range perListener {
		if d, _ := metric.Lookup(name); d.Parts.Live {
			values.Set(name, value(all))
		}
	}
	return values
}

// choose is the cells of the selected listeners.
func (t *Tally) choose(s metric.Selector) (chosen []*cell) {
	t.record.mu.Lock()
	defer t.record.mu.Unlock()
	for _, c := range t.record.cells {
		if selected(c.Labels, s) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// selected reports whether listeners with these labels are selected.
func selected(l Labels, s metric.Selector) bool {
	role := s.Role
	if role == "" {
		role = Audience
	}
	return l.Role == role && (s.Network == "" || s.Network == l.Network)
}

// sums is the figures of some listeners.
type sums struct {
	closed
	delivered      metric.Rate
	latency        *metric.Trend
	joined         metric.Rate
	joins          metric.Trend
	known, unknown uint64
}

// sum adds up the selected listeners.
func (t *Tally) sum(s metric.Selector) *sums {
	all := &sums{latency: &metric.Trend{}}
	for _, c := range t.choose(s) {
		all.add(t.record, c, s.Phase)
	}
	return all
}

// add adds a cell's figures: of a phase, or if it is "" of what is measured
// without one.
func (a *sums) add(r *record, c *cell, phase string) {
	r.mu.Lock()
	number, steady := r.number(phase), r.number(Steady)
	r.mu.Unlock()
	a.joined.Passes += uint64(c.heard.Load())
	a.joins.Merge(c.joins.Snapshot())
	a.known += c.known.Load()
	a.unknown += c.unknown.Load()

	c.mu.Lock()
	defer c.mu.Unlock()
	a.joined.Total += c.cast
	a.received += c.received
	a.duplicates += c.duplicates
	a.outOfOrder += c.outOfOrder
	a.onsets.Merge(&c.onsets)
	a.jitters.Merge(&c.jitters)
	a.gaps.Merge(&c.gaps)
	a.quality.Merge(&c.quality)
	a.losses.Merge(&c.losses)
	a.concealed.Merge(&c.concealed)
	a.dropouts.Merge(&c.dropouts)
	if phase == "" {
		d := c.delivered()
		a.delivered.Passes += d.Passes
		a.delivered.Total += d.Total
		number = steady
	}
	if number < 0 || number >= len(c.phases) {
		return
	}
	p := &c.phases[number]
	a.latency.Merge(&p.latency)
	if phase != "" {
		a.delivered.Passes += p.delivered.Passes
		a.delivered.Total += p.delivered.Total
	}
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
