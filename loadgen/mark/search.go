package mark

import (
	"math"
	"math/cmplx"
	"sync/atomic"

	"github.com/earshot-audio/earshot/internal/fourier"
)

const (
	// window is how many places of a code are tried at a time, less the length of what is
	// searched for.
	window = 16_384
	// grid is how far apart the windows of a code begin: so that two of them hold what is
	// tried first, wherever that is.
	grid = 5120
	// tried is how many places of a window a search tries: the others wrap around.
	tried = 2 * grid
	// standsOut is how far above the others a place has to stand out, in standard deviations:
	// of 163,840 places chance brings one there in 100,000 times.
	standsOut = 6.5
)

// spectra are the transforms of a code's windows, one at each place of the grid, made when
// they are first needed: every search for a code needs the same.
type spectra [period / grid]atomic.Pointer[[window]complex64]

// spectrum returns the transform of the code's window that tries the places from
// number*grid on.
func (c *Code) spectrum(number int) *[window]complex64 {
	slot := &c.spectra[number%len(c.spectra)]
	if known := slot.Load(); known != nil {
		return known
	}
	part := make([]complex128, window)
	for i := range part {
		part[i] = complex(c.at(number*grid-order+i), 0)
	}
	fourier.Transform(part)
	spectrum := new([window]complex64)
	for i, v := range part {
		spectrum[i] = complex64(v)
	}
	slot.Store(spectrum) // another search may have made the same
	return spectrum
}

// find searches for hops in a code, from one place of it on, in so many places. It
// returns where the first hop begins.
func find(hops []*whiteHop, c *Code, from, places int) (place int, found bool) {
	block := make([]complex128, window)
	for i, h := range hops {
		if h == nil || h.energy == 0 {
			continue
		}
		scale := 1 / math.Sqrt(h.energy) // a loud hop tells no more than a low one
		for j, v := range h.matched {
			block[i*Hop+j] += complex(v*scale, 0)
		}
	}
	fourier.Transform(block)
	best, sum, n := 0.0, 0.0, 0
	try := func(at int, v float64) {
		if at < from || at >= from+places {
			return
		}
		sum += v * v
		n++
		if v > best {
			best, place = v, wrap(at)
		}
	}
	both := make([]complex128, window)
	number := wrap(from) / grid
	// What is tried begins with the window's place, which may lie before the period.
	for begin := from - wrap(from)%grid; begin < from+places; begin, number = begin+2*tried, number+4 {
		// Two windows with one transform: both results are real.
		a, b := c.spectrum(number), c.spectrum(number+2)
		for i := range both {
			v := complex128(a[i]) + 1i*complex128(b[i])
			both[i] = cmplx.Conj(v * cmplx.Conj(block[i]))
		}
		fourier.Transform(both) // of the conjugate, which is the inverse's but for the scale, and conjugate
		for i := range tried {
			try(begin+i, real(both[i]))
		}
		for i := range tried {
			try(begin+tried+i, -imag(both[i]))
		}
	}
	return place, n > 0 && best > standsOut*math.Sqrt(sum/float64(n))
}
