package mark

import "math"

// order is how many samples linear prediction looks back.
const order = 16

// A predictor is the filter whose output is what linear prediction can't tell of a signal.
type predictor [order + 1]float64

// predict fits a predictor to a signal by its autocorrelation (Levinson and Durbin).
func predict(signal []float32) (a predictor) {
	var r [order + 1]float64
	for k := range r {
		for i := k; i < len(signal); i++ {
			r[k] += float64(signal[i]) * float64(signal[i-k])
		}
	}
	r[0] = r[0]*1.0001 + 1e-7 // so that silence has a solution
	a[0] = 1
	left := r[0]
	for i := 1; i <= order; i++ {
		sum := r[i]
		for j := 1; j < i; j++ {
			sum += a[j] * r[i-j]
		}
		k := -sum / left
		before := a
		for j := 1; j < i; j++ {
			a[j] = before[j] + k*before[i-j]
		}
		a[i] = k
		left *= 1 - k*k
	}
	return a
}

// apply filters a signal whose first order samples are the past.
func (a *predictor) apply(signal, into []float64) {
	for i := range into {
		var v float64
		for j, c := range a {
			v += c * signal[order+i-j]
		}
		into[i] = v
	}
}

// A whiteHop is a hop with the speech out of the way.
type whiteHop struct {
	a      predictor
	white  [Hop]float64
	energy float64
	// matched is white filtered once more, backwards: its correlation with a code is that
	// of white with the filtered code. It is order samples longer, before the hop.
	matched [Hop + order]float64
}

// whiten makes the hop of a signal white that begins at a place, with half a hop around it.
func whiten(signal []float32, from int) *whiteHop {
	h := &whiteHop{a: predict(signal[from-Hop/2 : from+Hop+Hop/2])}
	var past [Hop + order]float64
	for i := range past {
		past[i] = float64(signal[from-order+i])
	}
	h.a.apply(past[:], h.white[:])
	for i, v := range h.white {
		h.energy += v * v
		for j, c := range h.a {
			h.matched[order+i-j] += c * v
		}
	}
	return h
}

// score is how alike a hop and a code are, from -1 to 1, if the hop begins at a place of
// the code: their product, and the greatest that it could be.
func (h *whiteHop) score(c *Code, place int) (product, most float64) {
	var past [Hop + order]float64
	for i := range past {
		past[i] = c.at(place - order + i)
	}
	var filtered [Hop]float64
	h.a.apply(past[:], filtered[:])
	energy := 0.0
	for i, v := range filtered {
		product += v * h.white[i]
		energy += v * v
	}
	return product, math.Sqrt(energy*h.energy) + 1e-9
}
