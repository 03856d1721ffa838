package report

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// A groupTable compares the groups of one kind.
type groupTable struct {
	Title, First string
	Heads        []string
	Rows         []groupRow
}

type groupRow struct {
	Name  string
	Cells []cellText
}

// A groupFigure is a column of a table of groups.
type groupFigure struct{ head, metric, statistic string }

// groupFigures are the columns that a table of groups can have. Those that no group has
// are left out.
var groupFigures = []groupFigure{
	{"joined", "joined", "rate"},
	{"join, p(95)", "join_duration", "p(95)"},
	{"delivered", "delivered", "rate"},
	{"loss, p(95)", "loss", "p(95)"},
	{"gap, med", "audio_gap", "med"},
	{"gap, p(95)", "audio_gap", "p(95)"},
	{"latency, med", "latency", "med"},
	{"latency, p(99)", "latency", "p(99)"},
	{"p(99) of latency, med", "latency_listener", "med"},
	{"p(99) of latency, max", "latency_listener", "max"},
	{"MOS, med", "mos", "med"},
	{"MOS, p(5)", "mos", "p(5)"},
	{"audio score, med", "audio_score", "med"},
}

// groupTables are the tables of all kinds of groups that the run has several of.
func (r *Report) groupTables() (all []groupTable) {
	for _, kind := range []struct{ by, title, first, none string }{
		{"network", "By network", "network", "none"},
		{"node", "By node", "node", "any"},
		{"transport", "By transport", "transport", ""},
		{"role", "By role", "role", ""},
		{"room", "By room", "room", ""},
		{"phase", "By phase", "phase", ""},
	} {
		var groups []record.Group
		for _, g := range r.Result.Groups {
			if g.By == kind.by {
				groups = append(groups, g)
			}
		}
		if len(groups) < 2 {
			continue
		}
		t := groupTable{Title: kind.title, First: kind.first}
		if of := r.Result.Rooms; kind.by == "room" && len(groups) < of {
			t.Title = fmt.Sprintf("By room: of %s those that got least", thousands(uint64(of)))
		}
		packets := slices.ContainsFunc(groups, func(g record.Group) bool { return g.Values["latency"] != nil })
		figures := slices.DeleteFunc(slices.Clone(groupFigures), func(f groupFigure) bool {
			return f.metric == "latency_listener" && packets || // which says more
				!slices.ContainsFunc(groups, func(g record.Group) bool { return f.of(g.Values) != "" })
		})
		for _, f := range figures {
			t.Heads = append(t.Heads, f.head)
		}
		for _, g := range groups {
			row := groupRow{Name: g.Name}
			if row.Name == "" {
				row.Name = kind.none
			}
			for _, f := range figures {
				text := f.of(g.Values)
				if text == "" {
					text = "–"
				}
				row.Cells = append(row.Cells, cellText{f.head, text})
			}
			t.Rows = append(t.Rows, row)
		}
		all = append(all, t)
	}
	return all
}

// of is the figure of some values; empty if there is none.
func (f groupFigure) of(values metric.Values) string {
	d, _ := metric.Lookup(f.metric)
	switch v := values[f.metric].(type) {
	case metric.Rate:
		if v.Total > 0 && f.metric == "joined" {
			return thousands(v.Passes) + " of " + thousands(v.Total)
		}
		if v.Total > 0 {
			return percent(v.Share())
		}
	case *metric.Trend:
		if v != nil && v.Count() > 0 {
			return statistic(v, f.statistic, d.Unit)
		}
	}
	return ""
}
