package chart

import (
	"fmt"
	"html"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// An ink is a colour that the style sheet decides: the class of what is drawn
// with it, after f- where it fills and k- where it strokes.
type ink string

// RGBA implements [color.Color], for what knows no inks.
func (ink) RGBA() (r, g, b, a uint32) { return color.Black.RGBA() }

// A canvas writes what is drawn as SVG. Its origin is at the bottom left, as the
// library's is; what it writes has none but the SVG's own, at the top left.
type canvas struct {
	out    strings.Builder
	height float64
	state  pen
	saved  []pen
}

// A pen is the state that Push saves.
type pen struct {
	ink    ink
	width  vg.Length
	dashes []vg.Length
	// The transform, in the library's coordinates: a turn about the origin, then
	// a shift.
	turn   float64
	dx, dy float64
}

func newCanvas(height float64) *canvas {
	c := &canvas{height: height}
	vg.Initialize(c)
	return c
}

func (c *canvas) SetLineWidth(w vg.Length)               { c.state.width = w }
func (c *canvas) SetLineDash(d []vg.Length, _ vg.Length) { c.state.dashes = d }
func (c *canvas) Push()                                  { c.saved = append(c.saved, c.state) }
func (c *canvas) Rotate(turn float64)                    { c.state.turn += turn }

// Scale and DrawImage are in the library's interface; no plot of ours needs
// them.
func (c *canvas) Scale(_, _ float64)                  {}
func (c *canvas) DrawImage(vg.Rectangle, image.Image) {}

func (c *canvas) SetColor(to color.Color) {
	c.state.ink = "text"
	if i, ok := to.(ink); ok {
		c.state.ink = i
	}
}

func (c *canvas) Pop() {
	c.state = c.saved[len(c.saved)-1]
	c.saved = c.saved[:len(c.saved)-1]
}

func (c *canvas) Translate(to vg.Point) {
	sin, cos := math.Sincos(c.state.turn)
	c.state.dx += float64(to.X)*cos - float64(to.Y)*sin
	c.state.dy += float64(to.X)*sin + float64(to.Y)*cos
}

// at is a point in the SVG's coordinates.
func (c *canvas) at(p vg.Point) (x, y float64) {
	sin, cos := math.Sincos(c.state.turn)
	x = float64(p.X)*cos - float64(p.Y)*sin + c.state.dx
	y = float64(p.X)*sin + float64(p.Y)*cos + c.state.dy
	return x, c.height - y
}

func (c *canvas) Stroke(path vg.Path) {
	if c.state.width <= 0 {
		return
	}
	dashes := ""
	if len(c.state.dashes) > 0 {
		var all []string
		for _, d := range c.state.dashes {
			all = append(all, number(float64(d)))
		}
		dashes = fmt.Sprintf(` stroke-dasharray="%s"`, strings.Join(all, " "))
	}
	fmt.Fprintf(&c.out, `<path class="k-%s" fill="none" stroke-width="%s"%s d="%s"/>`+"\n",
		c.state.ink, number(float64(c.state.width)), dashes, c.data(path))
}

func (c *canvas) Fill(path vg.Path) {
	fmt.Fprintf(&c.out, `<path class="f-%s" d="%s"/>`+"\n", c.state.ink, c.data(path))
}

// data is a path in SVG's language. Circles are the only arcs there are.
func (c *canvas) data(path vg.Path) string {
	var b strings.Builder
	for _, step := range path {
		x, y := c.at(step.Pos)
		switch step.Type {
		case vg.MoveComp:
			fmt.Fprintf(&b, "M%s %s", number(x), number(y))
		case vg.LineComp:
			fmt.Fprintf(&b, "L%s %s", number(x), number(y))
		case vg.ArcComp:
			r := float64(step.Radius)
			fmt.Fprintf(&b, "M%s %sa%s %s 0 1 0 %s 0a%s %s 0 1 0 %s 0",
				number(x-r), number(y), number(r), number(r), number(2*r), number(r), number(r), number(-2*r))
		case vg.CloseComp:
			b.WriteString("Z")
		}
	}
	return b.String()
}

// FillString writes words as wide as the layout measured them, whatever font
// the reader has.
func (c *canvas) FillString(f font.Face, at vg.Point, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	x, y := c.at(at)
	turned := ""
	if c.state.turn != 0 {
		turned = fmt.Sprintf(` transform="rotate(%s %s %s)"`, number(-c.state.turn*180/math.Pi), number(x), number(y))
	}
	fmt.Fprintf(&c.out, `<text class="f-%s" x="%s" y="%s" font-size="%s" textLength="%s" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n",
		c.state.ink, number(x), number(y), number(float64(f.Font.Size)), number(float64(f.Width(text))), turned, html.EscapeString(text))
}

// number writes a coordinate to a hundredth of a unit.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return text
}
