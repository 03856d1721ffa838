package chart

import (
	"errors"
	"fmt"
	"html"
	"math"
	"strings"

	weight "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Chart is one plot. The zero values of its size are 480 by 220 units; it is
// shown as wide as its place allows.
type Chart struct {
	Title string
	// Description says in a sentence or two what the plot shows, for those who
	// can't see it.
	Description   string
	Width, Height float64
	X, Y          Axis
	Series        []Series
	// Bands are spans of X, drawn behind everything.
	Bands []Band
	// Marks are points of X, each a thin line with a word.
	Marks []Mark
	// Limits are values of Y that matter, each a dashed line with a word.
	Limits []Limit
}

// An Axis is one of the two.
type Axis struct {
	Label string
	Unit  Unit
	Scale Scale
	// Min and Max bound the axis; if they are equal, the data do, and a linear
	// axis begins at 0 unless Fit is set or something is below.
	Min, Max float64
	Fit      bool
	// Names, if not nil, stand in place of numbers, at 0, 1, 2 and so on.
	Names []string
}

// A Style is how the points of a series are drawn.
type Style int

const (
	Lines Style = iota // joined by lines
	Steps              // each holds until the next
	Area               // joined by lines, and filled below
	Dots               // one by one
	Bars               // from 0, each as wide as the distance of its neighbours
)

// A Series is one set of points.
type Series struct {
	// Name stands in the legend; with an empty one there is none.
	Name  string
	Style Style
	// Points are in the order of X, in the units of the axes. One whose Y is NaN
	// breaks the line.
	Points []Point
	// Tone picks a colour, from 1 to [Tones]; 0 is the series' place in the chart.
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

const (
	defaultWidth, defaultHeight = 480, 220
	textSize                    = 11
	titleSize                   = 13
	row                         = 17 // height of the title's and the legend's line
)

// SVG is the plot as an element to put into a page that has [CSS].
func (c Chart) SVG() (string, error) { return c.render("") }

// Standalone is the plot as an image of its own, with its colours inside.
func (c Chart) Standalone() (string, error) {
	return c.render("<style>" + CSS + "</style>\n" + `<rect class="f-paper" width="100%" height="100%"/>` + "\n")
}

func (c Chart) render(head string) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("chart %q: %w", c.Title, err)
	}
	if c.Width == 0 {
		c.Width = defaultWidth
	}
	if c.Height == 0 {
		c.Height = defaultHeight
	}
	canvas := newCanvas(c.Height)
	whole := draw.NewCanvas(canvas, vg.Length(c.Width), vg.Length(c.Height))
	// The last word of the axis may stand out by half of itself.
	body := draw.Crop(whole, 2, -8, 2, -vg.Length(row*c.heading(whole)))
	c.plot(body)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="img">`+"\n", number(c.Width), number(c.Height))
	fmt.Fprintf(&b, "<title>%s</title><desc>%s</desc>\n%s", html.EscapeString(c.Title), html.EscapeString(c.Description), head)
	b.WriteString(canvas.out.String())
	b.WriteString("</svg>\n")
	return b.String(), nil
}

func (c Chart) check() error {
	if c.Title == "" || c.Description == "" {
		return errors.New("it has no title or no description")
	}
	for _, a := range []Axis{c.X, c.Y} {
		if a.Min != a.Max && !(a.Min < a.Max && a.Scale.takes(a.Min) && a.Scale.takes(a.Max)) {
			return fmt.Errorf("an axis can't go from %v to %v", a.Min, a.Max)
		}
	}
	for _, s := range c.Series {
		for _, p := range s.Points {
			if math.IsNaN(p.X) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0) {
				return fmt.Errorf("a point of series %q is at (%v, %v)", s.Name, p.X, p.Y)
			}
		}
	}
	return nil
}

// heading writes the title and the legend and returns how many lines they take.
func (c Chart) heading(whole draw.Canvas) int {
	title := words(titleSize, "title", draw.XLeft)
	title.Font.Weight = weight.WeightBold
	whole.FillText(title, vg.Point{X: 2, Y: whole.Max.Y - 13}, c.Title)
	legend := words(textSize, "quiet", draw.XLeft)
	x, line := vg.Length(2), 1
	for i, s := range c.Series {
		if s.Name == "" {
			continue
		}
		width := legend.Width(s.Name) + 36
		if line == 1 || x+width > whole.Max.X {
			x, line = 2, line+1
		}
		y := whole.Max.Y - vg.Length(row*line) + 5
		whole.StrokeLine2(c.line(i), x, y, x+16, y)
		whole.FillText(legend, vg.Point{X: x + 20, Y: y - 4}, s.Name)
		x += width
	}
	return line
}

// line is the style of series i.
func (c Chart) line(i int) draw.LineStyle {
	l := draw.LineStyle{Color: ink(fmt.Sprintf("s%d", c.tone(i))), Width: 1.75}
	if c.Series[i].Dashed {
		l.Dashes = []vg.Length{4, 3}
	}
	return l
}

func (c Chart) tone(i int) int {
	if t := c.Series[i].Tone; t != 0 {
		return (t-1)%Tones + 1
	}
	return i%Tones + 1
}

// words is the style of text.
func words(size vg.Length, kind ink, align draw.XAlignment) draw.TextStyle {
	f := font.From(plot.DefaultFont, size)
	f.Variant = "Sans"
	return draw.TextStyle{Color: kind, Font: f, XAlign: align, YAlign: draw.YBottom, Handler: plot.DefaultTextHandler}
}

// plot draws everything under the heading.
func (c Chart) plot(body draw.Canvas) {
	x, y := c.ranges()
	if x == nil || y == nil {
		empty := words(titleSize, "quiet", draw.XCenter)
		body.FillText(empty, body.Center(), "no data")
		return
	}
	p := plot.New()
	p.BackgroundColor = nil
	dress(&p.X, c.X, *x, draw.XCenter)
	dress(&p.Y, c.Y, *y, draw.XRight)
	p.X.Tick.Marker = c.X.ticks(*x, int(c.Width/70))
	p.Y.Tick.Marker = c.Y.ticks(*y, int(c.Height/40))
	p.Y.LineStyle.Width = 0
	p.Add(bands(c.Bands), grid{})
	for i := range c.Series {
		p.Add(c.points(i)...)
	}
	p.Add(limits(c.Limits), marks(c.Marks))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = x.min, x.max, y.min, y.max
	p.Draw(body)
}

// dress gives an axis of the library the look of ours.
func dress(to *plot.Axis, a Axis, r span, align draw.XAlignment) {
	to.Min, to.Max = r.min, r.max
	to.Scale = a.Scale
	to.Padding = 0
	to.LineStyle = draw.LineStyle{Color: ink("axis"), Width: 1}
	to.Tick.LineStyle = draw.LineStyle{Color: ink("axis"), Width: 1}
	to.Tick.Length = 3
	to.Tick.Label = words(textSize, "quiet", align)
	to.Tick.Label.YAlign = draw.YTop
	if align == draw.XRight {
		to.Tick.Length = 0
		to.Tick.Label.YAlign = draw.YCenter
	}
	to.Label.Text = a.Label
	to.Label.TextStyle = words(textSize, "quiet", draw.XCenter)
	to.Label.Padding = 2
}

// points are what draws series i.
func (c Chart) points(i int) (all []plot.Plotter) {
	s := c.Series[i]
	switch s.Style {
	case Bars:
		return []plot.Plotter{bars{s.Points, ink(fmt.Sprintf("s%d", c.tone(i)))}}
	case Dots:
		return []plot.Plotter{dots{s.Points, ink(fmt.Sprintf("s%d", c.tone(i)))}}
	}
	for _, part := range unbroken(s.Points) {
		if len(part) == 1 {
			all = append(all, dots{part, ink(fmt.Sprintf("s%d", c.tone(i)))})
			continue
		}
		xys := make(plotter.XYs, len(part))
		for k, p := range part {
			xys[k] = plotter.XY(p)
		}
		line := &plotter.Line{XYs: xys, LineStyle: c.line(i)}
		switch s.Style {
		case Steps:
			line.StepStyle = plotter.PostStep
		case Area:
			line.FillColor = ink(fmt.Sprintf("a%d", c.tone(i)))
		}
		all = append(all, line)
	}
	return all
}

// unbroken are the stretches of points between those that are NaN.
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
