package record

import (
	"cmp"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Group is the figures of some of a run's people, or of some of its time.
type Group struct {
	// By is what it is a group of, and Name which: "network" and "3g", "node" and "2", "role"
	// and "speaker", "room" and "1", "phase" and "steady". Name is "" for those without a
	// network or node.
	By, Name string
	// Values is what was measured of it, and Best what those of them that are in doubt are
	// at best. They have no selectors.
	Values, Best metric.Values
}

// Groups are the groups of the run, of each kind of which there are several: the listeners
// by network, by node, by transport and by room, everybody by role, and the delivery by phase and by
// the spans that the timeline names. The run has ended.
func (a *Aggregator) Groups() []Group {
	return a.groups(func(metric.Parts) bool { return true })
}

// PresentGroups are the groups as far as they are known while the run goes on: rooms are known
// at its end.
func (a *Aggregator) PresentGroups() []Group {
	return a.groups(func(p metric.Parts) bool { return p.Live })
}

// groups are the groups with the metrics of a kind.
func (a *Aggregator) groups(known func(metric.Parts) bool) (all []Group) {
	ofPeople := func(p metric.Parts) bool { return p.People && known(p) }
	ofPhases := func(p metric.Parts) bool { return p.Phases && known(p) }
	var networks, nodes, transports, roles, phases []string
	a.record.mu.Lock()
	for _, s := range a.record.spans {
		phases = append(phases, s.name)
	}
	a.record.mu.Unlock()
	for _, c := range a.chooseOf(func(Labels) bool { return true }) {
		if c.Role == Audience && !slices.Contains(networks, c.Network) {
			networks = append(networks, c.Network)
		}
		if c.Role == Audience && !slices.Contains(nodes, c.Node) {
			nodes = append(nodes, c.Node)
		}
		if c.Role == Audience && !slices.Contains(transports, c.transport()) {
			transports = append(transports, c.transport())
		}
		if !slices.Contains(roles, c.Role) {
			roles = append(roles, c.Role)
		}
	}
	slices.Sort(networks)                                                                                           // those without one are the first
	slices.SortFunc(nodes, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) // as numbers
	slices.Sort(transports)
	slices.Sort(roles)
	all = several(networks, func(name string) Group {
		return a.group("network", name, ofPeople, "", func(l Labels) bool { return l.Role == Audience && l.Network == name })
	})
	all = append(all, several(nodes, func(name string) Group {
		return a.group("node", name, ofPeople, "", func(l Labels) bool { return l.Role == Audience && l.Node == name })
	})...)
	all = append(all, several(transports, func(name string) Group {
		return a.group("transport", name, ofPeople, "", func(l Labels) bool { return l.Role == Audience && l.transport() == name })
	})...)
	all = append(all, several(roles, func(name string) Group {
		return a.group("role", name, ofPeople, "", func(l Labels) bool { return l.Role == name })
	})...)
	all = append(all, a.audiences.groups()...)
	return append(all, several(phases, func(name string) Group {
		return a.group("phase", name, ofPhases, name, func(l Labels) bool { return l.Role == Audience })
	})...)
}

// several are the groups that were owed packets, if there are several.
func several(names []string, of func(string) Group) (groups []Group) {
	for _, name := range names {
		g := of(name)
		if d, ok := g.Values["delivered"].(metric.Rate); ok && d.Total > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) < 2 {
		return nil
	}
	return groups
}

// group is the figures of the people with some labels, in a phase or in all of the time that
// is measured.
func (a *Aggregator) group(by, name string, has func(metric.Parts) bool, phase string, of func(Labels) bool) Group {
	g := Group{By: by, Name: name, Values: metric.Values{}, Best: metric.Values{}}
	all := a.sumOf(metric.Selector{Phase: phase}, of)
	for metricName := range perListener {
		if d, _ := metric.Lookup(metricName); has(d.Parts) {
			all.enter(metricName, metricName, g.Values, g.Best)
		}
	}
	return g
}
