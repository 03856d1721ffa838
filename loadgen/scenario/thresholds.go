package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// The phases of a run, as thresholds select them. They are those of the measure
// package, which a scenario does not know.
const (
	phaseArrivals   = "arrivals"
	phaseWarmUp     = "warm_up"
	phaseSteady     = "steady"
	phaseDepartures = "departures"
)

// thresholds reads the conditions by their metrics, and keeps their places as
// thresholds[i].
func (r *reader) thresholds(f field) (all []metric.Threshold) {
	pairs, _ := r.pairs(f, "thresholds")
	for _, p := range pairs {
		if _, _, err := metric.ParseName(p.key); err != nil {
			r.fail(p.at, "%v", err)
			continue
		}
		items := []field{p.field}
		if _, list := p.node.(*ast.SequenceNode); list {
			items = r.items(p.field, p.key)
		}
		for _, item := range items {
			t, ok := r.threshold(p.key, item)
			if !ok {
				continue
			}
			at := item.node
			if !t.Selector.IsZero() {
				at = p.at // what can still be wrong with it is in the key
			}
			r.places[fmt.Sprintf("thresholds[%d]", len(all))] = at
			all = append(all, t)
		}
	}
	return all
}

// threshold reads one condition: its text, or fields that say more.
func (r *reader) threshold(name string, f field) (t metric.Threshold, ok bool) {
	before := len(r.errs)
	condition, fields := f, map[string]field(nil)
	if _, long := f.node.(ast.MapNode); long {
		what := "a threshold of " + name
		fields = r.fields(f, what, "threshold", "abort_on_fail", "delay")
		r.require(f, fields, what, "threshold")
		if condition, ok = fields["threshold"]; !ok {
			return t, false
		}
	}
	text := r.text(condition, "a threshold of "+name)
	if len(r.errs) > before {
		return t, false
	}
	t, err := metric.ParseThreshold(name, text)
	if err != nil {
		r.fail(condition.node, "%v", err)
		return t, false
	}
	abort, delay := false, Duration(0)
	if v, given := fields["abort_on_fail"]; given {
		abort = r.truth(v, "abort_on_fail")
	}
	if v, given := fields["delay"]; given {
		delay = r.duration(v, "delay")
		if !abort {
			r.fail(v.node, "delay is how long abort_on_fail waits: it needs abort_on_fail: true")
		}
	}
	if abort && len(r.errs) == before {
		if t, err = t.Aborting(delay.Duration()); err != nil {
			r.fail(f.node, "%v", err)
		}
	}
	return t, len(r.errs) == before
}

// parseFlag reads a threshold as a command line gives it: "metric: expression",
// or "metric: {threshold: expression, abort_on_fail: true}" as in a file.
func parseFlag(text string) (metric.Threshold, error) {
	name, expression, ok := cutName(text)
	if !ok {
		return metric.Threshold{}, fmt.Errorf("%q is not of the form 'metric: expression', like 'latency: p(99) < 20ms'", text)
	}
	if !strings.HasPrefix(expression, "{") {
		return metric.ParseThreshold(name, expression)
	}
	if _, _, err := metric.ParseName(name); err != nil {
		return metric.Threshold{}, err
	}
	r := newReader("threshold")
	root, err := r.document([]byte(expression))
	if err != nil {
		return metric.Threshold{}, err
	}
	t, _ := r.threshold(name, root)
	return t, r.err()
}

// cutName cuts a threshold at the colon behind its metric's name, which may
// have others in its selector.
func cutName(text string) (name, expression string, ok bool) {
	start := 0
	if brace := strings.IndexByte(text, '{'); brace >= 0 && !strings.Contains(text[:brace], ":") {
		start = max(strings.IndexByte(text, '}'), 0)
	}
	colon := strings.IndexByte(text[start:], ':')
	if colon < 0 {
		return "", "", false
	}
	return strings.TrimSpace(text[:start+colon]), strings.TrimSpace(text[start+colon+1:]), true
}

// checkThreshold reports what a threshold selects and the scenario does not have.
func (s *Scenario) checkThreshold(c *checker, path string, t metric.Threshold) {
	sel := t.Selector
	if d, _ := metric.Lookup(t.Metric); d.Name == "audio_score" && !s.AudioScore {
		c.add(path, "audio_score is not measured: give the scenario audio_score: true")
	}
	if phases := s.phases(); sel.Phase != "" && !slices.Contains(phases, sel.Phase) {
		switch sel.Phase {
		case phaseWarmUp:
			c.add(path, "there is no phase warm_up: give the scenario the field warm_up")
		case phaseDepartures:
			c.add(path, "there is no phase departures: give a group of listeners the field depart")
		default:
			c.add(path, "there is no phase %q: there are %s, and those that the timeline names", sel.Phase, strings.Join(phases, ", "))
		}
	}
	if sel.Network != "" {
		networks := s.networks()
		if len(networks) == 0 {
			c.add(path, "there is no network %q: no group of the cast has one", sel.Network)
		} else if !slices.Contains(networks, sel.Network) {
			c.add(path, "there is no network %q: the cast has %s", sel.Network, strings.Join(networks, ", "))
		}
	}
	if sel.Node != "" && !slices.ContainsFunc(s.Cast, func(g Group) bool { return g.NodeName() == sel.Node }) {
		c.add(path, "there is no node %q: no group of the cast is on it", sel.Node)
	}
	if all := s.listenersTransports(); sel.Transport != "" && !slices.Contains(all, sel.Transport) {
		c.add(path, "nobody listens by transport %q: the cast has %s", sel.Transport, strings.Join(all, ", "))
	}
	switch role := Role(sel.Role); role {
	case "":
	case Speaker, Listener, Host:
		if s.people(role) == 0 {
			c.add(path, "nobody is cast as %s", role)
		}
	default:
		c.add(path, "there is no role %q: there are speaker, listener, host", role)
	}
	if length, known := s.length(sel.Phase, t.Metric); t.Over > 0 && known && t.Over > length.Duration() {
		c.add(path, "a window of %s does not fit: there are %s to measure in", t.Over, length)
	}
}

// phases is the names of the run's phases and spans.
func (s *Scenario) phases() []string {
	names := []string{phaseArrivals}
	if s.WarmUp > 0 {
		names = append(names, phaseWarmUp)
	}
	names = append(names, phaseSteady)
	if s.Departs() {
		names = append(names, phaseDepartures)
	}
	for _, span := range s.Spans() {
		names = append(names, span.Name)
	}
	return names
}

// networks is the names of the cast's networks.
func (s *Scenario) networks() (names []string) {
	for _, g := range s.Cast {
		if name := g.NetworkName(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// listenersTransports is the names of the transports by which listeners go.
func (s *Scenario) listenersTransports() (names []string) {
	for _, g := range s.Cast {
		for _, t := range g.Transport.Transports() {
			if g.Role == Listener && !slices.Contains(names, string(t)) {
				names = append(names, string(t))
			}
		}
	}
	return names
}

// length is how long a phase lasts, if the scenario says so. Without one,
// delivered is of the whole run and everything else of the steady state.
func (s *Scenario) length(phase, name string) (Duration, bool) {
	if d, _ := metric.Lookup(name); phase == "" && d.Name == "delivered" {
		return 0, false
	}
	switch phase {
	case "", phaseSteady:
		return s.Hold - s.WarmUp, true
	case phaseWarmUp:
		return s.WarmUp, true
	}
	for _, span := range s.Spans() {
		if span.Name == phase {
			return span.Until - span.From, true
		}
	}
	return 0, false
}

// The bounds of the names of spans, which selectors use.
const (
	maxSpanName = 40
	maxSpans    = 32
)

// checkSpans reports names that are taken or can't be written.
func (s *Scenario) checkSpans(c *checker) {
	taken := []string{phaseArrivals, phaseWarmUp, phaseSteady, phaseDepartures, "settling"}
	for i, e := range s.Timeline {
		path := fmt.Sprintf("timeline[%d].name", i)
		switch {
		case e.Name == "":
			if e.For != 0 {
				c.add(fmt.Sprintf("timeline[%d].for", i), "for is how long a name lasts: give the entry a name")
			}
			continue
		case slices.Contains(taken, e.Name):
			c.add(path, "the name %q is taken", e.Name)
		case len(e.Name) > maxSpanName || strings.Trim(e.Name, letters) != "":
			c.add(path, "name is %q: it can have %d letters, digits, - and _", e.Name, maxSpanName)
		case len(taken) == maxSpans+5:
			c.add(path, "the timeline has more than %d names", maxSpans)
		}
		taken = append(taken, e.Name)
		if e.For < 0 || e.At+e.For > s.Hold {
			c.add(fmt.Sprintf("timeline[%d].for", i), "%s lasts until %s, beyond the hold of %s", e.Name, e.At+e.For, s.Hold)
		} else if e.For == 0 && e.At == s.Hold {
			c.add(path, "%s begins at the end of the hold and lasts no time", e.Name)
		}
	}
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
