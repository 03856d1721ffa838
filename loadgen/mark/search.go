package mark

import (
	"math"
	"math/bits"
	"math/cmplx"
	"sync"
)

const (
	// window is how many places of a code are tried at a time, less the length of what is
	// searched for.
	window = 16_384
	// standsOut is how far above the others a place has to stand out, in standard deviations:
	// of 163,840 places chance brings one there in 100,000 times.
	standsOut = 6.5
)

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
	transform(block)
	step := window - (len(hops)*Hop + order)
	best, sum, n := 0.0, 0.0, 0
	part := make([]complex128, window)
	for begin := 0; begin < places; begin += step {
		for i := range part {
			part[i] = complex(c.at(from-order+begin+i), 0)
		}
		transform(part)
		for i := range part {
			part[i] = cmplx.Conj(part[i] * cmplx.Conj(block[i]))
		}
		transform(part) // of the conjugate, which is the inverse's but for the scale
		for i := range min(step, places-begin) {
			v := real(part[i])
			sum += v * v
			n++
			if v > best {
				best, place = v, wrap(from+begin+i)
			}
		}
	}
	return place, n > 0 && best > standsOut*math.Sqrt(sum/float64(n))
}

// transform is the discrete Fourier transform, in place, of as many values as a power of
// two.
func transform(x []complex128) {
	n, twiddles := len(x), roots()
	shift := 64 - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, stride := size/2, window/size
		for from := 0; from < n; from += size {
			for k := range half {
				t := twiddles[k*stride] * x[from+half+k]
				x[from+k], x[from+half+k] = x[from+k]+t, x[from+k]-t
			}
		}
	}
}

// roots returns the roots of unity for a transform of window values.
var roots = sync.OnceValue(func() []complex128 {
	w := make([]complex128, window/2)
	for i := range w {
		w[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/window)
	}
	return w
})
