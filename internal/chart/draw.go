package chart

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes in the SVG's units.
const (
	defaultWidth, defaultHeight = 480, 220
	textSize                    = 11
	titleSize                   = 13
	line                        = 17 // height of the title and of each line of the legend
	lineWidth                   = 1.75
	tickLength                  = 3
	pad                         = 4
	dotRadius                   = 2.5
	overhang                    = 14 // room for half of the last tick's label
)

// A drawing is a chart with the place of its plot area in the SVG, whose origin is at
// the top left.
type drawing struct {
	Chart
	svg
	x, y                     span
	left, right, top, bottom float64
}

func (c Chart) draw(head string) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("chart %q: %w", c.Title, err)
	}
	if c.Width == 0 {
		c.Width = defaultWidth
	}
	if c.Height == 0 {
		c.Height = defaultHeight
	}
	d := &drawing{Chart: c}
	fmt.Fprintf(d, `<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="img">`+"\n", number(c.Width), number(c.Height))
	fmt.Fprintf(d, "<title>%s</title><desc>%s</desc>\n%s", html.EscapeString(c.Title), html.EscapeString(c.Description), head)
	d.text(2, line-4, titleSize, "title", start, c.Title)
	d.top = 2*pad + line*float64(d.legend())
	if x, y := c.ranges(); x != nil && y != nil {
		d.x, d.y = *x, *y
		d.plot()
	} else {
		d.text(c.Width/2, (d.top+c.Height)/2, titleSize, "quiet", middle, cmp.Or(c.Empty, "no data"))
	}
	d.WriteString("</svg>\n")
	return d.String(), nil
}

// legend draws the legend below the title, and returns how many lines both take.
func (d *drawing) legend() int {
	x, lines := 2.0, 1
	for i, s := range d.Series {
		if s.Name == "" {
			continue
		}
		width := textWidth(s.Name, textSize) + 36
		if lines == 1 || x+width > d.Width {
			x, lines = 2, lines+1
		}
		y := float64(line*lines) - 5
		d.path(d.stroke(i), lineWidth, d.dashes(i), fmt.Sprintf("M%s %sH%s", number(x), number(y), number(x+16)))
		d.text(x+20, y+4, textSize, "quiet", start, s.Name)
		x += width
	}
	return lines
}

// plot draws the axes and everything between them.
func (d *drawing) plot() {
	xTicks, yTicks := d.X.ticks(d.x, int(d.Width/70)), d.Y.ticks(d.y, int(d.Height/40))
	d.left, d.right = 2, d.Width-overhang
	for _, t := range yTicks {
		d.left = max(d.left, textWidth(t.label, textSize)+2+pad)
	}
	if d.Y.Label != "" {
		d.left += textSize + pad
	}
	d.bottom = d.Height - tickLength - textSize - 2*pad
	if d.X.Label != "" {
		d.bottom -= textSize + 2
	}
	d.bands()
	d.axes(xTicks, yTicks)
	for i, s := range d.Series {
		switch s.Style {
		case Bars, Stack:
			d.bars(i)
		case Dots:
			d.dots(i, s.Points)
		default:
			d.lines(i)
		}
	}
	d.limits()
	d.marks()
	d.values()
}

func (d *drawing) px(x float64) float64 { return d.left + d.x.share(x, d.X.Scale)*(d.right-d.left) }
func (d *drawing) py(y float64) float64 { return d.bottom - d.y.share(y, d.Y.Scale)*(d.bottom-d.top) }

func (d *drawing) stroke(i int) string { return fmt.Sprintf("k-s%d", d.tone(i)) }
func (d *drawing) fill(i int) string   { return fmt.Sprintf("f-s%d", d.tone(i)) }

func (d *drawing) dashes(i int) string {
	if d.Series[i].Dashed {
		return "4 3"
	}
	return ""
}

func (d *drawing) bands() {
	for _, b := range d.Bands {
		from, to := max(d.px(max(b.From, d.x.min)), d.left), min(d.px(min(b.To, d.x.max)), d.right)
		if from < to {
			d.rect("f-band", from, d.top, to, d.bottom)
		}
	}
}

func (d *drawing) axes(xTicks, yTicks []tick) {
	for _, t := range yTicks {
		if t.value < d.y.min || t.value > d.y.max {
			continue
		}
		y := d.py(t.value)
		d.path("k-grid", 1, "", fmt.Sprintf("M%s %sH%s", number(d.left), number(y), number(d.right)))
		d.text(d.left-pad, y+textSize*0.35, textSize, "quiet", end, t.label)
	}
	d.path("k-axis", 1, "", fmt.Sprintf("M%s %sH%s", number(d.left), number(d.bottom), number(d.right)))
	for _, t := range xTicks {
		if t.value < d.x.min || t.value > d.x.max {
			continue
		}
		x := d.px(t.value)
		d.path("k-axis", 1, "", fmt.Sprintf("M%s %sv%d", number(x), number(d.bottom), tickLength))
		d.text(x, d.bottom+tickLength+textSize, textSize, "quiet", middle, t.label)
	}
	if d.X.Label != "" {
		d.text((d.left+d.right)/2, d.Height-pad, textSize, "quiet", middle, d.X.Label)
	}
	if d.Y.Label != "" {
		d.turned(textSize, (d.top+d.bottom)/2, textSize, "quiet", d.Y.Label)
	}
}

// lines draws a series of lines, steps or an area. A point that stands alone is a dot.
func (d *drawing) lines(i int) {
	s := d.Series[i]
	for _, part := range unbroken(s.Points) {
		if len(part) == 1 {
			d.dots(i, part)
			continue
		}
		var path strings.Builder
		for k, p := range part {
			x, y := number(d.px(p.X)), number(d.py(p.Y))
			switch {
			case k == 0:
				fmt.Fprintf(&path, "M%s %s", x, y)
			case s.Style == Steps:
				fmt.Fprintf(&path, "H%sV%s", x, y)
			default:
				fmt.Fprintf(&path, "L%s %s", x, y)
			}
		}
		if s.Style == Area {
			area := fmt.Sprintf("%sV%sH%sZ", path.String(), number(d.bottom), number(d.px(part[0].X)))
			fmt.Fprintf(d, `<path class="f-a%d" d="%s"/>`+"\n", d.tone(i), area)
		}
		d.path(d.stroke(i), lineWidth, d.dashes(i), path.String())
	}
}

func (d *drawing) dots(i int, points []Point) {
	for _, p := range points {
		if d.X.Scale.shows(p.X) && d.Y.Scale.shows(p.Y) {
			fmt.Fprintf(d, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`+"\n", d.fill(i), number(d.px(p.X)), number(d.py(p.Y)), number(dotRadius))
		}
	}
}

func (d *drawing) bars(i int) {
	points := d.Series[i].Points
	for k, p := range points {
		bottom := d.bottom
		if d.Series[i].Style == Stack {
			bottom = d.py(d.below(i, k))
			p.Y += d.below(i, k)
		}
		if math.IsNaN(p.Y) || d.py(p.Y) >= bottom {
			continue
		}
		left, right := barEdges(points, k)
		d.rect(d.fill(i), max(d.px(left), d.left)+0.5, d.py(p.Y), min(d.px(right), d.right)-0.5, bottom)
	}
}

func (d *drawing) limits() {
	for _, l := range d.Limits {
		if !d.Y.Scale.shows(l.Y) || l.Y < d.y.min || l.Y > d.y.max {
			continue
		}
		y := d.py(l.Y)
		d.path("k-limit", 1.25, "6 3", fmt.Sprintf("M%s %sH%s", number(d.left), number(y), number(d.right)))
		label := y - 3
		if label-textSize < d.top {
			label = y + textSize
		}
		d.text(d.right, label, textSize, "limit", end, l.Text)
	}
}

// marks draws the labels of marks that are close to each other on three lines, and
// leaves out those that have no place.
func (d *drawing) marks() {
	var taken [3]float64 // how far to the right each line has text
	for _, m := range d.Marks {
		if m.X < d.x.min || m.X > d.x.max {
			continue
		}
		x := d.px(m.X)
		d.path("k-mark", 1, "2 2", fmt.Sprintf("M%s %sV%s", number(x), number(d.top), number(d.bottom)))
		width, left := textWidth(m.Text, textSize), x+2
		if left+width > d.right {
			left = x - 2 - width
		}
		for i := range taken {
			if left >= taken[i] {
				d.text(left, d.top+float64(textSize*(i+1))-1, textSize, "mark", start, m.Text)
				taken[i] = left + width + pad
				break
			}
		}
	}
}
