// Package fourier has the discrete Fourier transform.
package fourier

import (
	"math"
	"math/bits"
	"math/cmplx"
	"sync"
)

// largest is the largest transform.
const largest = 1 << 14

// Transform is the discrete Fourier transform, in place, of as many values as a power of
// two, 16,384 at most. It is safe for concurrent use of different values.
func Transform(x []complex128) {
	n, twiddles := len(x), roots()
	shift := 64 - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, stride := size/2, largest/size
		for from := 0; from < n; from += size {
			for k := range half {
				t := twiddles[k*stride] * x[from+half+k]
				x[from+k], x[from+half+k] = x[from+k]+t, x[from+k]-t
			}
		}
	}
}

// roots returns the roots of unity for the largest transform.
var roots = sync.OnceValue(func() []complex128 {
	w := make([]complex128, largest/2)
	for i := range w {
		w[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/largest)
	}
	return w
})
