package chart

import (
	"math"

	"gonum.org/v1/plot"
)

// A Scale is how an axis spreads its values.
type Scale int

const (
	Linear Scale = iota
	// Log gives every power of ten the same room. It has no place for 0.
	Log
	// Tail gives every nine of a share the same room: 0, 90 %, 99 %, 99.9 %. It
	// has no place for 1.
	Tail
)

// takes tells whether a value has a place on the scale.
func (s Scale) takes(v float64) bool {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false
	case s == Log:
		return v > 0
	case s == Tail:
		return v >= 0 && v < 1
	}
	return true
}

func (s Scale) stretch(v float64) float64 {
	switch s {
	case Log:
		return math.Log10(v)
	case Tail:
		return -math.Log10(1 - v)
	}
	return v
}

// Normalize implements plot.Normalizer.
func (s Scale) Normalize(low, high, v float64) float64 {
	if !s.takes(v) {
		return 0
	}
	return (s.stretch(v) - s.stretch(low)) / (s.stretch(high) - s.stretch(low))
}

// A span is the range of an axis.
type span struct{ min, max float64 }

func (r *span) add(v float64, s Scale) *span {
	switch {
	case !s.takes(v):
		return r
	case r == nil:
		return &span{v, v}
	}
	return &span{min(r.min, v), max(r.max, v)}
}

// ranges are those of the axes; nil where there is nothing to show.
func (c Chart) ranges() (x, y *span) {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if c.X.Scale.takes(p.X) && c.Y.Scale.takes(p.Y) {
				x, y = x.add(p.X, c.X.Scale), y.add(p.Y, c.Y.Scale)
			}
		}
		if s.Style == Bars && len(s.Points) > 0 && c.X.Scale == Linear {
			left, _ := bars{points: s.Points}.edges(0)
			_, right := bars{points: s.Points}.edges(len(s.Points) - 1)
			x = x.add(left, Linear).add(right, Linear)
		}
	}
	if x == nil || y == nil {
		return nil, nil
	}
	for _, l := range c.Limits {
		// A limit far above all that was measured would only flatten the lines.
		if l.Y <= 3*y.max {
			y = y.add(l.Y, c.Y.Scale)
		}
	}
	return c.X.settle(*x, false), c.Y.settle(*y, true)
}

// settle makes the range of an axis from that of the data. Room is left above.
func (a Axis) settle(r span, room bool) *span {
	if a.Min < a.Max {
		return &span{a.Min, a.Max}
	}
	switch a.Scale {
	case Log:
		if r.max < r.min*2 {
			r.min, r.max = r.min/1.5, r.max*1.5
		}
		return &r
	case Tail:
		if r.max <= r.min {
			r.max = r.min + (1-r.min)/2
		}
		return &r
	}
	if !a.Fit && r.min > 0 && len(a.Names) == 0 {
		r.min = 0
	}
	if r.max <= r.min {
		r.max = r.min + 1
	} else if room {
		r.max += (r.max - r.min) * 0.08
	}
	return &r
}

// ticks are about n of an axis, at round values.
func (a Axis) ticks(r span, n int) plot.ConstantTicks {
	ticks := plot.ConstantTicks{}
	add := func(v float64) { ticks = append(ticks, plot.Tick{Value: v, Label: a.Unit.Format(v)}) }
	if a.Names != nil {
		for i, name := range a.Names {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
		}
		return ticks
	}
	switch a.Scale {
	case Log:
		decades := math.Log10(r.max / r.min)
		for e := math.Floor(math.Log10(r.min)); e <= math.Log10(r.max); e++ {
			for _, m := range []float64{1, 2, 5} {
				v := m * math.Pow(10, e)
				if v < r.min*(1-1e-9) || v > r.max*(1+1e-9) || m != 1 && decades > 2.5 {
					continue
				}
				add(v)
			}
		}
		return ticks
	case Tail:
		add(0)
		for nines := 1; 1-math.Pow(10, -float64(nines)) <= r.max; nines++ {
			add(1 - math.Pow(10, -float64(nines)))
		}
		return ticks
	}
	step := a.Unit.step((r.max - r.min) / float64(max(n, 2)))
	for k := math.Ceil(r.min/step - 1e-9); k*step <= r.max+step*1e-9; k++ {
		add(k * step)
	}
	return ticks
}
