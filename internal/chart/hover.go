package chart

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// maxHits bounds the spans of a chart that show their values, so that a long run's chart
// does not grow with it.
const maxHits = 120

// values lays a span that can't be seen over each X. A browser shows what is in its title,
// the values of all series there, while the pointer is on it; that takes no script.
func (d *drawing) values() {
	places := d.places()
	step := (len(places) + maxHits - 1) / maxHits
	for i := 0; i < len(places); i += step {
		left, right := d.left, d.right
		if i > 0 {
			left = (d.px(places[i-step]) + d.px(places[i])) / 2
		}
		if i+step < len(places) {
			right = (d.px(places[i]) + d.px(places[i+step])) / 2
		}
		left, right = max(left, d.left), min(right, d.right)
		if text := d.valuesAt(places[i]); text != "" && left < right {
			fmt.Fprintf(d, `<rect class="f-hit" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`+"\n",
				number(left), number(d.top), number(right-left), number(d.bottom-d.top), html.EscapeString(text))
		}
	}
}

// places are the X at which there is a value, in order.
func (d *drawing) places() (all []float64) {
	for _, s := range d.Series {
		for _, p := range s.Points {
			if !math.IsNaN(p.Y) && d.X.Scale.shows(p.X) && p.X >= d.x.min && p.X <= d.x.max {
				all = append(all, p.X)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// valuesAt is what all series have at X, a line each below X itself.
func (d *drawing) valuesAt(x float64) string {
	lines := []string{d.X.value(x)}
	for _, s := range d.Series {
		i := slices.IndexFunc(s.Points, func(p Point) bool { return p.X == x && !math.IsNaN(p.Y) })
		if i >= 0 {
			lines = append(lines, strings.TrimSpace(s.Name+" "+d.Y.value(s.Points[i].Y)))
		}
	}
	if len(lines) == 1 {
		return ""
	}
	return strings.Join(lines, "\n")
}

// value writes a value of the axis with its unit and label.
func (a Axis) value(v float64) string {
	if i := int(math.Round(v)); a.Names != nil && i >= 0 && i < len(a.Names) {
		return a.Names[i]
	}
	text := a.Unit.Format(rounded(v, a.Unit))
	if a.Label != "" && a.Unit != Seconds {
		text += " " + a.Label
	}
	return text
}

// rounded is a value with four digits; a share keeps all, since it is the last that tell.
func rounded(v float64, unit Unit) float64 {
	if v == 0 || unit == Share {
		return v
	}
	power := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*power) / power
}
