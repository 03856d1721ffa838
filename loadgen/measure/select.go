package measure

import (
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// perListener is the metrics that a tally sums up, of all listeners or some.
var perListener = []string{
	"joined", "join_duration", "delivered", "onset_clip", "latency", "unrecognised",
	"loss", "concealed", "jitter", "audio_gap", "gaps_per_minute", "mos", "duplicates", "out_of_order",
}

// live is the metrics that are known while a run goes on.
var live = []string{"joined", "join_duration", "delivered", "latency", "unrecognised"}

// Present is the metrics of all listeners that are known before the end: of the
// joins as they are now, and of what was received as of some seconds ago.
func (t *Tally) Present() metric.Values {
	all := t.sum(metric.Selector{})
	values := metric.Values{}
	for _, name := range live {
		values.Set(name, t.value(all, name))
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

// value is the value of a metric.
func (t *Tally) value(a *sums, name string) metric.Value {
	switch name {
	case "joined":
		return a.joined
	case "join_duration":
		return &a.joins
	case "delivered":
		return a.delivered
	case "onset_clip":
		return &a.onsets
	case "latency":
		return a.latency
	case "unrecognised":
		return metric.Rate{Passes: a.unknown, Total: a.unknown + a.known}
	case "jitter":
		return &a.jitters
	case "audio_gap":
		return &a.gaps
	case "loss":
		return &a.losses
	case "concealed":
		return &a.concealed
	case "gaps_per_minute":
		return &a.dropouts
	case "mos":
		return &a.quality
	case "duplicates":
		return metric.Counter(a.duplicates)
	case "out_of_order":
		return metric.Counter(a.outOfOrder)
	}
	return nil
}
