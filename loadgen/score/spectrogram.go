package score

import (
	"math"
	"math/cmplx"
	"slices"
	"sync"

	"github.com/earshot-audio/earshot/internal/fourier"
)

const (
	// SampleRate is that of what is compared, in Hz: what wideband speech needs.
	SampleRate = 16_000
	// hop is the distance of the columns of a spectrogram, 20 ms, and window the length of
	// the sound that each is of, in samples. transform is a length that holds the filters'
	// ringing, too.
	hop, window, transform = SampleRate / 50, 4 * hop, 2048

	// bands is how many there are, from lowest to highest, in Hz.
	bands           = 21
	lowest, highest = 50.0, 8000.0
	// earQ and leastBandwidth say how wide the ear's bands are (Glasberg and Moore 1990).
	earQ, leastBandwidth = 9.26449, 24.7

	// quietest is what no band is below, and relativelyQuiet how far below the loudest band of
	// its column none is, both in the unit of a column.
	quietest, relativelyQuiet = -45.0, 45.0
	// inaudible is how little of the power passes a filter where that is not reckoned with: a
	// tenth of what is relatively quiet.
	inaudible = 1e-10
)

// A column is the sound of a moment: for each band, from the lowest, ten times the
// logarithm of its root mean square.
type column [bands]float64

// A spectrogram is a sound in columns.
type spectrogram []column

// A filter says how much of the power of each bin of a transform passes, of those where it
// is not too little to matter.
type filter struct {
	from, until int
	passes      [transform / 2]float64
}

// bank has the filter of each band: a gammatone filter of fourth order (M. Slaney, "An Efficient Implementation of the
// Patterson-Holdsworth Auditory Filter Bank", Apple TR 35, 1993).
var bank = sync.OnceValue(func() *[bands]filter {
	b, t := new([bands]filter), 1.0/SampleRate
	whole := earQ * leastBandwidth
	step := (math.Log(lowest+whole) - math.Log(highest+whole)) / bands
	for i := range b {
		center := math.Exp(float64(bands-i)*step)*(highest+whole) - whole
		width := 1.019 * 2 * math.Pi * (center/earQ + leastBandwidth)
		angle, decay := 2*math.Pi*center*t, math.Exp(-width*t)
		power := func(at float64) float64 {
			z := cmplx.Rect(1, -at)
			pole := 1 - complex(2*math.Cos(angle)*decay, 0)*z + complex(decay*decay, 0)*z*z
			h := complex(1, 0)
			for _, root := range []float64{math.Sqrt(3 + math.Pow(2, 1.5)), math.Sqrt(3 - math.Pow(2, 1.5))} {
				for _, sign := range []float64{1, -1} {
					h *= (1 - complex((math.Cos(angle)+sign*root*math.Sin(angle))*decay, 0)*z) / pole
				}
			}
			return real(h)*real(h) + imag(h)*imag(h)
		}
		most := power(angle)
		f := &b[i]
		f.from = transform / 2
		for k := range f.passes {
			f.passes[k] = power(2*math.Pi*float64(k)/transform) / most
			if f.passes[k] > inaudible {
				f.from, f.until = min(f.from, k), k+1
			}
		}
	}
	return b
})

// hann is the window of a column.
var hann = sync.OnceValue(func() *[window]float64 {
	w := new([window]float64)
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/(window-1))
	}
	return w
})

// columnsOf is how many columns a sound of so many samples has.
func columnsOf(samples int) int { return max(0, (samples-window)/hop+1) }

// spectrum makes the spectrogram of a sound, times a factor.
func spectrum(sound []float64, factor float64) spectrogram {
	filters, shape, x := bank(), hann(), make([]complex128, transform)
	all := make(spectrogram, columnsOf(len(sound)))
	var power [transform / 2]float64
	for i := range all {
		for j, v := range sound[i*hop : i*hop+window] {
			x[j] = complex(v*factor*shape[j], 0)
		}
		clear(x[window:])
		fourier.Transform(x)
		for k := range power {
			power[k] = real(x[k])*real(x[k]) + imag(x[k])*imag(x[k])
		}
		for b := range all[i] {
			sum, f := 0.0, &filters[b]
			for k := f.from; k < f.until; k++ {
				sum += power[k] * f.passes[k]
			}
			// Both halves of the transform, by Parseval.
			rms := math.Sqrt(2 * sum / transform / window)
			all[i][b] = max(quietest, 10*math.Log10(max(rms, 1e-16)))
		}
	}
	return all
}

// level raises what is so much quieter than the loudest band of its column, in either of two
// spectrograms, that an ear does not hear it, and sets the quietest of all to 0.
func level(a, b spectrogram) {
	least := math.Inf(1)
	for i := range min(len(a), len(b)) {
		floor := max(slices.Max(a[i][:]), slices.Max(b[i][:])) - relativelyQuiet
		for k := range bands {
			a[i][k], b[i][k] = max(floor, a[i][k]), max(floor, b[i][k])
		}
	}
	for _, s := range []spectrogram{a, b} {
		for i := range s {
			least = min(least, slices.Min(s[i][:]))
		}
	}
	for _, s := range []spectrogram{a, b} {
		for i := range s {
			for k := range bands {
				s[i][k] -= least
			}
		}
	}
}
