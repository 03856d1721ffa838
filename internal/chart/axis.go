package chart

import "math"

// A Scale is how an axis spreads its values.
type Scale int

const (
	Linear Scale = iota
	// Log gives every power of ten the same length. It can't show 0.
	Log
	// Tail gives every nine of a share the same length: 0, 90 %, 99 %, 99.9 %. It
	// can't show 1.
	Tail
)

// shows reports whether a value has a place on the scale.
func (s Scale) shows(v float64) bool {
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

func (s Scale) transform(v float64) float64 {
	switch s {
	case Log:
		return math.Log10(v)
	case Tail:
		return -math.Log10(1 - v)
	}
	return v
}

// A span is the range of an axis.
type span struct{ min, max float64 }

func (r *span) add(v float64, s Scale) *span {
	switch {
	case !s.shows(v):
		return r
	case r == nil:
		return &span{v, v}
	}
	return &span{min(r.min, v), max(r.max, v)}
}

// share is where a value is in the range of an axis: 0 at the minimum, 1 at the
// maximum.
func (r span) share(v float64, s Scale) float64 {
	return (s.transform(v) - s.transform(r.min)) / (s.transform(r.max) - s.transform(r.min))
}

// ranges are those of both axes; nil if there is nothing to show.
func (c Chart) ranges() (x, y *span) {
	for i, s := range c.Series {
		for k, p := range s.Points {
			if s.Style == Stack {
				p.Y += c.below(i, k)
			}
			if c.X.Scale.shows(p.X) && c.Y.Scale.shows(p.Y) {
				x, y = x.add(p.X, c.X.Scale), y.add(p.Y, c.Y.Scale)
			}
		}
		if (s.Style == Bars || s.Style == Stack) && len(s.Points) > 0 && c.X.Scale == Linear {
			left, _ := barEdges(s.Points, 0)
			_, right := barEdges(s.Points, len(s.Points)-1)
			x = x.add(left, Linear).add(right, Linear)
		}
	}
	if x == nil || y == nil {
		return nil, nil
	}
	for _, l := range c.Limits {
		// A limit far above all data would flatten the lines.
		if l.Y <= 3*y.max {
			y = y.add(l.Y, c.Y.Scale)
		}
	}
	return c.X.extend(*x, false), c.Y.extend(*y, true)
}

// extend makes the range of an axis from that of its data, with headroom if asked.
func (a Axis) extend(r span, headroom bool) *span {
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
	switch {
	case a.Unit == Share && a.Fit && r.max <= r.min:
		r.min = max(r.min-0.01, 0) // all of 100 %, mostly
	case r.max <= r.min:
		r.max = r.min + 1
	case headroom && a.Unit != Share:
		r.max += (r.max - r.min) * 0.08
	}
	return &r
}

// A tick is a labelled value of an axis.
type tick struct {
	value float64
	label string
}

// ticks are about n labelled values of an axis, at round numbers.
func (a Axis) ticks(r span, n int) (ticks []tick) {
	add := func(v float64) { ticks = append(ticks, tick{v, a.Unit.Format(v)}) }
	if a.Names != nil {
		for i, name := range a.Names {
			ticks = append(ticks, tick{float64(i), name})
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
