package panel

import (
	"cmp"
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/chart"
)

var (
	//go:embed page.html
	page []byte
	//go:embed panel.js
	script []byte
	//go:embed panel.css
	style string
	//go:embed now.tmpl
	nowTemplate string
)

// Policy is the Content-Security-Policy of the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// File returns a file of the page by its name, and its content type; "" is the page
// itself. It contains nothing about the server.
func File(name string) (data []byte, kind string, ok bool) {
	switch name {
	case "":
		return page, "text/html; charset=utf-8", true
	case "panel.js":
		return script, "text/javascript; charset=utf-8", true
	case "panel.css":
		return []byte(style + chart.CSS), "text/css; charset=utf-8", true
	}
	return nil, "", false
}

// maxRooms is how many rooms are listed.
const maxRooms = 100

// View is a history, to be shown.
type View struct {
	Samples []Sample // in the order of time, at least one
	// Rates is how many packets a second each room sends, by its ID.
	Rates map[string]float64
}

// Texts are keys of the table of the visitor's language (web/app/lang): the page puts the
// language's own in their place, and writes the figures as it does.
type (
	tile struct {
		Name, Value, Note string
		N                 int // of the note
	}
	row struct {
		Name, ID, Visibility, Stage, Audience, Halls, Rate, Since string
		Elsewhere, ElsewhereNodes                                 int
	}
	nodeRow struct {
		ID, URL, Zone, State, Rooms, Halls, Trunks string
		Taken, Seats                               int
	}
)

// Write writes the view as the body of the page. Its texts are keys of the page's languages.
func (v View) Write(w io.Writer) error {
	t, err := template.New("now").Parse(nowTemplate)
	if err != nil {
		return err
	}
	var data struct {
		At    string
		Tiles []tile
		Plots []template.HTML
		Rooms []row
		More  int
		Nodes []nodeRow
	}
	now := v.Samples[len(v.Samples)-1]
	data.At, data.Tiles = now.At.UTC().Format("15:04:05 UTC"), v.tiles(now)
	for _, c := range v.plots() {
		svg, err := c.SVG()
		if err != nil {
			return err
		}
		data.Plots = append(data.Plots, template.HTML(svg)) // made by package chart, which escapes texts
	}
	rooms := slices.SortedFunc(slices.Values(now.Rooms), func(a, b RoomSample) int {
		return cmp.Or(cmp.Compare(people(b), people(a)), cmp.Compare(a.ID, b.ID))
	})
	data.More = max(0, len(rooms)-maxRooms)
	for _, r := range rooms[:len(rooms)-data.More] {
		data.Rooms = append(data.Rooms, v.row(r, now.At))
	}
	for _, n := range now.Nodes {
		data.Nodes = append(data.Nodes, n.row())
	}
	return t.Execute(w, data)
}

// row is the node's, to be shown.
func (n NodeSample) row() nodeRow {
	shown := nodeRow{
		ID: n.ID, URL: n.URL, Zone: n.Zone, State: "operator.state.serving", Rooms: thousands(n.Rooms),
		Taken: n.Taken, Seats: n.Seats, Halls: thousands(n.Halls), Trunks: thousands(n.Trunks),
	}
	switch {
	case n.Silent:
		shown.State = "operator.state.not_heard"
	case n.Draining:
		shown.State = "operator.state.draining"
	}
	if n.Self {
		shown.State += ".self"
	}
	return shown
}

func people(r RoomSample) (n int) {
	for _, h := range r.Halls {
		n += h
	}
	return n + len(r.Stage)
}

func (v View) row(r RoomSample, now time.Time) row {
	shown := row{Name: r.Name, ID: r.ID, Visibility: r.Visibility, Since: now.Sub(r.Created).Truncate(time.Second).String(), Elsewhere: r.Elsewhere, ElsewhereNodes: r.ElsewhereNodes}
	if shown.Name == shown.ID {
		shown.ID = ""
	}
	shown.Stage = fmt.Sprint(len(r.Stage))
	if len(r.Stage) > 0 {
		names := r.Stage[:min(len(r.Stage), 4)]
		shown.Stage += ": " + strings.Join(names, ", ")
		if len(names) < len(r.Stage) {
			shown.Stage += ", …"
		}
	}
	total := 0
	var halls []string
	for _, n := range r.Halls {
		total += n
		halls = append(halls, thousands(n))
	}
	shown.Audience = thousands(total)
	shown.Halls = fmt.Sprintf("%d: %s", len(halls), strings.Join(halls, " · "))
	shown.Rate = "–"
	if rate, ok := v.Rates[r.ID]; ok {
		shown.Rate = thousands(int(math.Round(rate)))
	}
	return shown
}

func (v View) tiles(now Sample) []tile {
	all := []tile{
		{"operator.rooms", thousands(len(now.Rooms)), "operator.hall_count", halls(now.Rooms)},
		{"operator.stage", thousands(now.Stage), "operator.mics", now.Mics},
		{"operator.audience", thousands(now.Audience), "operator.ears", now.Ears},
	}
	sent, cores := math.NaN(), math.NaN()
	if all := v.intervals(); len(all) > 0 {
		last := all[len(all)-1]
		sent, cores = last.sent, last.cores
	}
	all = append(all, tile{"operator.packets", figure(sent, "%.0f"), "operator.packets.note", 0})
	perCore := "–"
	if cores > 0.001 {
		perCore = thousands(int(sent / cores))
	}
	all = append(all, tile{"operator.per_core", perCore, "operator.per_core.note", 0}, tile{"operator.cpu", figure(cores, "%.2f"), "operator.cpu.note", 0})
	if now.Memory > 0 {
		all = append(all, tile{"operator.memory", chart.Bytes.Format(math.Round(float64(now.Memory)/(1<<20)) * (1 << 20)), "operator.memory.note", 0})
	}
	return append(all, tile{"operator.dropped", thousands(int(now.Dropped)), "operator.dropped.note", 0})
}

func halls(rooms []RoomSample) (n int) {
	for _, r := range rooms {
		n += len(r.Halls)
	}
	return n
}

func figure(v float64, format string) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case format == "%.0f":
		return thousands(int(math.Round(v)))
	}
	return fmt.Sprintf(format, v)
}

// intervals returns the intervals between samples, without the gaps.
func (v View) intervals() (all []interval) {
	for i := 1; i < len(v.Samples); i++ {
		a, b := v.Samples[i-1], v.Samples[i]
		seconds := b.At.Sub(a.At).Seconds()
		if seconds <= 0 || b.At.Sub(a.At) >= maxInterval {
			all = append(all, interval{until: b.At, received: math.NaN(), sent: math.NaN(), cores: math.NaN()})
			continue
		}
		now := interval{until: b.At, received: float64(b.Received-a.Received) / seconds, sent: float64(b.Sent-a.Sent) / seconds, cores: math.NaN()}
		if b.CPU > 0 && a.CPU > 0 {
			now.cores = (b.CPU - a.CPU).Seconds() / seconds
		}
		all = append(all, now)
	}
	return all
}

func (v View) plots() []chart.Chart {
	began, last := v.Samples[0].At, v.Samples[len(v.Samples)-1].At
	over := func(title string, series ...chart.Series) chart.Chart {
		x := chart.Axis{Unit: chart.Seconds, Label: "operator.plot.since", Min: 0, Max: max(last.Sub(began).Seconds(), 10)}
		return chart.Chart{Title: title, Description: title + ".text", Empty: "operator.plot.empty", X: x, Y: chart.Axis{Unit: chart.Number}, Series: series}
	}
	rates := func(name string, style chart.Style, of func(interval) float64) chart.Series {
		s := chart.Series{Name: name, Style: style}
		for _, i := range v.intervals() {
			s.Points = append(s.Points, chart.Point{X: i.until.Sub(began).Seconds(), Y: of(i)})
		}
		return s
	}
	counts := func(name string, style chart.Style, of func(Sample) int) chart.Series {
		s := chart.Series{Name: name, Style: style}
		for _, p := range v.Samples {
			s.Points = append(s.Points, chart.Point{X: p.At.Sub(began).Seconds(), Y: float64(of(p))})
		}
		return s
	}
	return []chart.Chart{
		over("operator.packets",
			rates("operator.to_ears", chart.Area, func(i interval) float64 { return i.sent }), rates("operator.from_mics", chart.Lines, func(i interval) float64 { return i.received })),
		over("operator.per_core",
			rates("", chart.Lines, func(i interval) float64 {
				if !(i.cores > 0.001) {
					return math.NaN()
				}
				return i.sent / i.cores
			})),
		over("operator.people",
			counts("operator.in_audience", chart.Area, func(s Sample) int { return s.Audience }), counts("operator.on_stage", chart.Lines, func(s Sample) int { return s.Stage })),
		over("operator.cpu", rates("", chart.Area, func(i interval) float64 { return i.cores })),
	}
}

// thousands formats a number in groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
