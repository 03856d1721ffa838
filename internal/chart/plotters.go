package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// grid draws a line at every tick of Y that has a word.
type grid struct{}

// Plot implements plot.Plotter.
func (grid) Plot(c draw.Canvas, p *plot.Plot) {
	style := draw.LineStyle{Color: ink("grid"), Width: 1}
	_, y := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if !t.IsMinor() && t.Value >= p.Y.Min && t.Value <= p.Y.Max {
			c.StrokeLine2(style, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
		}
	}
}

type bands []Band

// Plot implements plot.Plotter.
func (all bands) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, b := range all {
		from, to := max(x(max(b.From, p.X.Min)), c.Min.X), min(x(min(b.To, p.X.Max)), c.Max.X)
		if from < to {
			fill(c, ink("band"), from, to, c.Min.Y, c.Max.Y)
		}
	}
}

func fill(c draw.Canvas, with ink, left, right, bottom, top vg.Length) {
	c.SetColor(with)
	var p vg.Path
	p.Move(vg.Point{X: left, Y: bottom})
	p.Line(vg.Point{X: right, Y: bottom})
	p.Line(vg.Point{X: right, Y: top})
	p.Line(vg.Point{X: left, Y: top})
	p.Close()
	c.Fill(p)
}

type marks []Mark

// Plot implements plot.Plotter.
func (all marks) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	style := draw.LineStyle{Color: ink("mark"), Width: 1, Dashes: []vg.Length{2, 2}}
	text := words(textSize, "mark", draw.XLeft)
	taken := [3]vg.Length{} // how far to the right each line of words is written
	for _, m := range all {
		at := x(m.X)
		if m.X < p.X.Min || m.X > p.X.Max {
			continue
		}
		c.StrokeLine2(style, at, c.Min.Y, at, c.Max.Y)
		width, left := text.Width(m.Text), at+2
		if left+width > c.Max.X {
			left = at - 2 - width
		}
		for line := range taken {
			if left >= taken[line] {
				c.FillText(text, vg.Point{X: left, Y: c.Max.Y - vg.Length(11*(line+1))}, m.Text)
				taken[line] = left + width + 4
				break
			}
		}
	}
}

type limits []Limit

// Plot implements plot.Plotter.
func (all limits) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	style := draw.LineStyle{Color: ink("limit"), Width: 1.25, Dashes: []vg.Length{6, 3}}
	text := words(textSize, "limit", draw.XRight)
	for _, l := range all {
		if !p.Y.Scale.(Scale).takes(l.Y) || l.Y < p.Y.Min || l.Y > p.Y.Max {
			continue
		}
		at := y(l.Y)
		c.StrokeLine2(style, c.Min.X, at, c.Max.X, at)
		above := at + 1
		if above+textSize > c.Max.Y {
			above = at - textSize - 2
		}
		c.FillText(text, vg.Point{X: c.Max.X, Y: above}, l.Text)
	}
}

// dots are points one by one.
type dots struct {
	points []Point
	ink    ink
}

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.SetColor(d.ink)
	for _, point := range d.points {
		if math.IsNaN(point.Y) {
			continue
		}
		var path vg.Path
		path.Arc(vg.Point{X: x(point.X), Y: y(point.Y)}, 2.5, 0, 2*math.Pi)
		c.Fill(path)
	}
}

// bars stand on the bottom of the plot.
type bars struct {
	points []Point
	ink    ink
}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	bottom := y(p.Y.Min)
	for i, point := range b.points {
		if math.IsNaN(point.Y) || y(point.Y) <= bottom {
			continue
		}
		left, right := b.edges(i)
		fill(c, b.ink, max(x(left), c.Min.X)+0.5, min(x(right), c.Max.X)-0.5, bottom, y(point.Y))
	}
}

// edges are half way to the neighbours of point i; a bar alone is one wide.
func (b bars) edges(i int) (left, right float64) {
	at := b.points[i].X
	half := 0.5
	if i > 0 {
		half = (at - b.points[i-1].X) / 2
	} else if len(b.points) > 1 {
		half = (b.points[1].X - at) / 2
	}
	return at - half, at + half
}
