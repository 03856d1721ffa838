package chart

import (
	_ "embed" // for the style sheet
	"errors"
	"fmt"
	"math"
)

// Tones is how many colours series can have.
const Tones = 9

// CSS is the style sheet of charts, for light and dark. A page may set the variables
// that it uses (--chart-text, --chart-s1 and so on).
//
//go:embed chart.css
var CSS string

// A Chart is one plot. It is shown as wide as its place allows; Width and Height are
// its proportions, and 480 by 220 if they are 0.
type Chart struct {
	Title string
	// Description says in a sentence or two what the chart shows, for screen readers.
	Description string
	// Empty is what stands in the place of the values if there are none; "": "no data".
	Empty         string
	Width, Height float64
	X, Y          Axis
	Series        []Series
	// Bands are spans of X that are shaded.
	Bands []Band
	// Marks are points of X, each a thin line with a label.
	Marks []Mark
	// Limits are values of Y, each a dashed line with a label.
	Limits []Limit
}

// An Axis is the X or the Y axis.
type Axis struct {
	Label string
	Unit  Unit
	Scale Scale
	// Min and Max bound the axis; if they are equal, the data do, and a linear
	// axis begins at 0 unless Fit is set or something is below.
	Min, Max float64
	Fit      bool
	// Names, if not nil, are the labels of 0, 1, 2 and so on.
	Names []string
}

// A Style is how the points of a series are drawn.
type Style int

const (
	Lines Style = iota // joined by lines
	Steps              // each holds up to the next
	Area               // joined by lines, and filled below
	Dots               // one by one
	Bars               // from the bottom, each up to half way to its neighbours
	Stack              // as bars, on top of the stacks before; all have the same X
)

// A Series is one set of points.
type Series struct {
	// Name is in the legend; a series without one is not.
	Name  string
	Style Style
	// Points are in the order of X, in the units of the axes. One whose Y is NaN
	// breaks the line.
	Points []Point
	// Tone picks a colour, from 1 to [Tones]; 0 means the series' place in the chart.
	Tone int
	// Dashed draws a broken line.
	Dashed bool
}

// A Point is in the units of the axes.
type Point struct{ X, Y float64 }

// A Band is a span of X.
type Band struct{ From, To float64 }

// A Mark is a point of X.
type Mark struct {
	X    float64
	Text string
}

// A Limit is a value of Y.
type Limit struct {
	Y    float64
	Text string
}

// SVG returns the chart as an element for a page that has [CSS].
func (c Chart) SVG() (string, error) { return c.draw("") }

// Standalone returns the chart as an image of its own, with its style sheet inside.
func (c Chart) Standalone() (string, error) {
	return c.draw("<style>" + CSS + "</style>\n" + `<rect class="f-paper" width="100%" height="100%"/>` + "\n")
}

func (c Chart) check() error {
	if c.Title == "" || c.Description == "" {
		return errors.New("it has no title or no description")
	}
	for _, a := range []Axis{c.X, c.Y} {
		if a.Min != a.Max && !(a.Min < a.Max && a.Scale.shows(a.Min) && a.Scale.shows(a.Max)) {
			return fmt.Errorf("an axis can't go from %v to %v", a.Min, a.Max)
		}
	}
	stacked := 0
	for _, s := range c.Series {
		if s.Style == Stack {
			if stacked != 0 && stacked != len(s.Points) || c.Y.Scale != Linear {
				return errors.New("stacks have as many points as each other, and a linear axis")
			}
			stacked = len(s.Points)
		}
		for _, p := range s.Points {
			if math.IsNaN(p.X) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0) {
				return fmt.Errorf("a point of series %q is at (%v, %v)", s.Name, p.X, p.Y)
			}
		}
	}
	return nil
}

// tone is the colour of series i.
func (c Chart) tone(i int) int {
	if t := c.Series[i].Tone; t != 0 {
		return (t-1)%Tones + 1
	}
	return i%Tones + 1
}

// below is the height of the stacks before series i at its point k.
func (c Chart) below(i, k int) (sum float64) {
	for _, s := range c.Series[:i] {
		if s.Style == Stack && !math.IsNaN(s.Points[k].Y) {
			sum += s.Points[k].Y
		}
	}
	return sum
}

// barEdges are half way to the neighbours of point i; a single bar is one wide.
func barEdges(points []Point, i int) (left, right float64) {
	at := points[i].X
	half := 0.5
	if i > 0 {
		half = (at - points[i-1].X) / 2
	} else if len(points) > 1 {
		half = (points[1].X - at) / 2
	}
	return at - half, at + half
}

// unbroken splits points where Y is NaN.
func unbroken(points []Point) (parts [][]Point) {
	from := 0
	for i := 0; i <= len(points); i++ {
		if i < len(points) && !math.IsNaN(points[i].Y) {
			continue
		}
		if i > from {
			parts = append(parts, points[from:i])
		}
		from = i + 1
	}
	return parts
}
