package metric

import "math"

// An exactSum is a sum of numbers without any rounding, so that it does not depend on
// their order, nor on who added which of them: the parts of a run on several machines come
// to what one would have. It is an expansion in the sense of Shewchuk (1997): numbers that
// do not overlap, the smallest first; most often there are one or two.
type exactSum []float64

// add adds x.
func (s *exactSum) add(x float64) {
	kept := (*s)[:0]
	for _, y := range *s {
		if math.Abs(x) < math.Abs(y) {
			x, y = y, x
		}
		high := x + y
		if low := y - (high - x); low != 0 {
			kept = append(kept, low)
		}
		x = high
	}
	*s = append(kept, x)
}

// addTimes adds n times x.
func (s *exactSum) addTimes(x float64, n uint64) {
	for _, part := range wholeParts(n) {
		high := x * part
		s.add(high)
		if low := math.FMA(x, part, -high); low != 0 {
			s.add(low)
		}
	}
}

// addWhole adds a whole number.
func (s *exactSum) addWhole(n int64) {
	const low = 1<<32 - 1
	s.add(float64(n &^ low))
	s.add(float64(n & low))
}

// wholeParts are numbers that floating point holds exactly and whose sum is n.
func wholeParts(n uint64) []float64 {
	const exact = 1 << 53
	if n <= exact {
		return []float64{float64(n)}
	}
	return []float64{float64(n >> 32 << 32), float64(n & (1<<32 - 1))}
}

// merge adds what o holds.
func (s *exactSum) merge(o exactSum) {
	for _, x := range o {
		s.add(x)
	}
}

// value is the number that is nearest to the sum.
func (s exactSum) value() float64 {
	i := len(s) - 1
	if i < 0 {
		return 0
	}
	high, low := s[i], 0.0
	for i--; i >= 0 && low == 0; i-- {
		x := high
		high = x + s[i]
		low = s[i] - (high - x)
	}
	// What is left decides where low is half of the last digit.
	if i >= 0 && (low < 0) == (s[i] < 0) && low != 0 && s[i] != 0 {
		if x := high + 2*low; x-high == 2*low {
			return x
		}
	}
	return high
}
