package chart

import _ "embed"

// Tones is how many colours series can have.
const Tones = 6

// CSS is the style of plots, for light and dark. A page may set the variables
// that it uses (--chart-text, --chart-s1 and so on) to its own.
//
//go:embed chart.css
var CSS string
