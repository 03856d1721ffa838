package chart

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// The horizontal anchors of text.
const (
	start  = "start"
	middle = "middle"
	end    = "end"
)

// An svg is the text of SVG elements. Their classes are f-NAME for a fill and k-NAME
// for a stroke.
type svg struct{ strings.Builder }

// path draws an open path.
func (s *svg) path(class string, width float64, dashes, data string) {
	if dashes != "" {
		dashes = fmt.Sprintf(` stroke-dasharray="%s"`, dashes)
	}
	fmt.Fprintf(s, `<path class="%s" fill="none" stroke-width="%s"%s d="%s"/>`+"\n", class, number(width), dashes, data)
}

func (s *svg) rect(class string, left, top, right, bottom float64) {
	fmt.Fprintf(s, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n",
		class, number(left), number(top), number(max(right-left, 0)), number(max(bottom-top, 0)))
}

// text writes text with its baseline at y.
func (s *svg) text(x, y, size float64, name, anchor, text string) {
	s.write(x, y, size, name, anchor, "", text)
}

// turned writes text upwards, centred on (x, y).
func (s *svg) turned(x, y, size float64, name, text string) {
	s.write(x, y, size, name, middle, fmt.Sprintf(` transform="rotate(-90 %s %s)"`, number(x), number(y)), text)
}

func (s *svg) write(x, y, size float64, name, anchor, more, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	if anchor != start {
		more = fmt.Sprintf(` text-anchor="%s"`, anchor) + more
	}
	fmt.Fprintf(s, `<text class="f-%s" x="%s" y="%s" font-size="%s"%s>%s</text>`+"\n",
		name, number(x), number(y), number(size), more, html.EscapeString(text))
}

// textWidth estimates the width of text in a sans-serif font, on the high side: the
// reader's font is not known.
func textWidth(text string, size float64) float64 {
	em := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfrI.,:;|!'()[]{} ", r):
			em += 0.34
		case strings.ContainsRune("mwMW%@", r):
			em += 0.9
		case r >= 'A' && r <= 'Z':
			em += 0.7
		default:
			em += 0.57
		}
	}
	return em * size
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
