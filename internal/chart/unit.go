package chart

import (
	"math"
	"strconv"
	"strings"
)

// A Unit is what an axis counts in.
type Unit int

const (
	Number       Unit = iota
	Seconds           // written as 30s, 5m, 2h
	Milliseconds      // written as 500µs, 20ms, 1.5s
	Bytes             // written as 64MiB
	Share             // from 0 to 1, written in per cent
)

// A prefix is a factor and its name.
type prefix struct {
	from float64
	by   float64
	word string
}

var prefixes = map[Unit][]prefix{
	Number:       {{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {0, 1, ""}},
	Seconds:      {{7200, 3600, "h"}, {120, 60, "m"}, {0, 1, "s"}},
	Milliseconds: {{1000, 1000, "s"}, {1, 1, "ms"}, {0, 1e-3, "µs"}},
	Bytes:        {{1 << 30, 1 << 30, "GiB"}, {1 << 20, 1 << 20, "MiB"}, {1 << 10, 1 << 10, "KiB"}, {0, 1, "B"}},
	Share:        {{0, 0.01, "%"}},
}

// Format writes a value with its unit, in few characters.
func (u Unit) Format(v float64) string {
	if v == 0 && u != Share {
		return "0"
	}
	for _, p := range prefixes[u] {
		if math.Abs(v) >= p.from*(1-1e-9) {
			return digits(v/p.by) + p.word
		}
	}
	return digits(v)
}

// digits writes a number with as many digits as it needs, and no more than six.
func digits(v float64) string {
	text := strconv.FormatFloat(v, 'f', 4, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// step is the least round distance of ticks that is not under least.
func (u Unit) step(least float64) float64 {
	switch u {
	case Seconds:
		for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200} {
			if least > 0.5 && s >= least {
				return s
			}
		}
	case Bytes:
		// A round number of the unit that it will be written in.
		for _, p := range prefixes[Bytes] {
			if least >= p.from/4 {
				return decimal(least/p.by) * p.by
			}
		}
	}
	return decimal(least)
}

// decimal is the least of 1, 2 and 5 times a power of ten that is not under v.
func decimal(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}
