package score

import (
	"math"

	"github.com/earshot-audio/earshot/internal/fourier"
)

const (
	// PatchLength is how long a patch is, in samples: 400 ms.
	PatchLength = patchColumns * hop
	// patchColumns is how many columns a patch has.
	patchColumns = 20
	// strays is by how many columns a patch may be earlier or later than the others: 1.2 s.
	strays = 60
	// envelopeHop is how finely sounds are laid over each other as a whole: 10 ms.
	envelopeHop = SampleRate / 100
	// finely is how far a patch is moved to lie on what was heard as well as can be: 20 ms.
	finely = hop
	// active is from which level on there is speech, of the greatest sample.
	active = 5000.0 / 32768
	// silent is the power below which there is nothing.
	silent = 1e-9
)

// A Patch is 400 ms of what was said.
type Patch struct {
	// From is where it begins, in samples.
	From int
	// Similarity is how much of it was heard: 1 if all is the same.
	Similarity float64
	// Shift is how much later it was heard, in samples.
	Shift int
}

// Compare compares what was said with what was heard, which may be up to latest samples
// later, and returns the patches with speech. Usable says which samples of what was said
// may be compared; nil are all.
func Compare(said, heard []float64, latest int, usable func(from, until int) bool) []Patch {
	var starts []int
	peak := 0.0
	for _, v := range said {
		peak = max(peak, math.Abs(v))
	}
	for from := 0; from+PatchLength+window <= len(said); from += PatchLength {
		if speaks(said[from:from+PatchLength], peak) && (usable == nil || usable(from, from+PatchLength+window)) {
			starts = append(starts, from)
		}
	}
	if len(starts) == 0 {
		return nil
	}
	loud, quiet := power(said), power(heard)
	patches := make([]Patch, len(starts))
	for i, from := range starts {
		patches[i].From = from
	}
	if quiet < silent {
		return patches
	}
	factor := math.Sqrt(loud / quiet)
	a, b := spectrum(said, 1), spectrum(heard, factor)
	whole := lag(said, heard, latest)
	// The floor of a column is that of both, so they have to lie on each other first.
	level(a, b[min(whole/hop, len(b)):])
	x, y := newNeurogram(a), newNeurogram(b)
	shifts := follow(x, y, starts, whole/hop)
	for i, shift := range shifts {
		if shift == lost {
			continue
		}
		p := &patches[i]
		p.Shift = shift * hop
		p.Similarity = similarity(x, y, p.From/hop, patchColumns, shift)
		if moved, better := finer(said, heard, factor, p.From, p.Shift); better > p.Similarity {
			p.Shift, p.Similarity = moved, better
		}
		p.Similarity = max(0, p.Similarity)
	}
	return patches
}

// speaks reports whether there is speech somewhere.
func speaks(part []float64, peak float64) bool {
	for from := 0; from+hop <= len(part); from += hop {
		if p := power(part[from : from+hop]); p > silent && math.Sqrt(p) >= active*peak {
			return true
		}
	}
	return false
}

// power is the mean square.
func power(sound []float64) (sum float64) {
	for _, v := range sound {
		sum += v * v
	}
	return sum / float64(max(1, len(sound)))
}

// envelope is how loud a sound is every 10 ms.
func envelope(sound []float64) []float64 {
	all, mean := make([]float64, len(sound)/envelopeHop), 0.0
	for i := range all {
		all[i] = math.Sqrt(power(sound[i*envelopeHop : (i+1)*envelopeHop]))
		mean += all[i] / float64(len(all))
	}
	for i := range all {
		all[i] -= mean
	}
	return all
}

// lag is how much later all in all something was heard, in samples.
func lag(said, heard []float64, latest int) int {
	a, b := envelope(said), envelope(heard)
	best, at := math.Inf(-1), 0
	for shift := 0; shift*envelopeHop <= latest && shift < len(b); shift++ {
		sum, energy := 0.0, 1e-12
		for i := range min(len(a), len(b)-shift) {
			sum += a[i] * b[i+shift]
			energy += b[i+shift] * b[i+shift]
		}
		if v := sum / math.Sqrt(energy); v > best {
			best, at = v, shift
		}
	}
	return at * envelopeHop
}

// lost is the shift of a patch for which there is no place.
const lost = math.MinInt

// follow finds for each patch by how many columns it was heard later, so that all together
// are most alike and none was heard before the one that it follows.
func follow(said, heard neurogram, starts []int, around int) []int {
	type cell struct {
		sum  float64
		from int // the place of the patch before, as below
		skip bool
	}
	// Places are columns of what was heard.
	table, width := make([][]cell, len(starts)), len(heard.spectrogram)
	before := make([]cell, width) // the best sum up to each place, and where it is
	for at := range before {
		before[at].from = -1
	}
	for p, start := range starts {
		row, first := make([]cell, width), start/hop+around-strays
		best := cell{sum: math.Inf(-1)}
		for at := range row {
			row[at] = cell{sum: before[at].sum, from: before[at].from, skip: true}
			if at >= first && at <= first+2*strays {
				own := similarity(said, heard, start/hop, patchColumns, at-start/hop)
				c := cell{sum: own, from: -1}
				if p > 0 && at > 0 {
					c.sum, c.from = own+before[at-1].sum, before[at-1].from
				}
				if c.sum > row[at].sum {
					row[at] = c
				}
			}
		}
		table[p] = row
		for at := range row {
			if row[at].sum > best.sum {
				best = cell{sum: row[at].sum, from: at}
			}
			before[at] = best
		}
	}
	shifts, at := make([]int, len(starts)), before[width-1].from
	for p := len(starts) - 1; p >= 0; p-- {
		shifts[p] = lost
		if at < 0 {
			continue
		}
		c := table[p][at]
		if !c.skip {
			shifts[p] = at - starts[p]/hop
		}
		at = c.from
	}
	return shifts
}

// finer moves what was heard of a patch by less than a column, so that the two lie on each
// other, and returns the shift and how alike they are then.
func finer(said, heard []float64, factor float64, from, shift int) (int, float64) {
	const length = PatchLength + window - hop
	first := from + shift - finely
	if first < 0 || first+length+2*finely > len(heard) || from+length > len(said) {
		return shift, -1
	}
	const size = 16_384
	var x, y [size]complex128
	for i, v := range said[from : from+length] {
		x[i] = complex(v, 0)
	}
	for i, v := range heard[first : first+length+2*finely] {
		y[i] = complex(v, 0)
	}
	fourier.Transform(x[:])
	fourier.Transform(y[:])
	for i := range x {
		x[i] *= complex(real(y[i]), -imag(y[i])) // the conjugate of their correlation's
	}
	fourier.Transform(x[:])
	best, at := math.Inf(-1), 0
	for i := range 2*finely + 1 {
		if v := real(x[i]); v > best {
			best, at = v, i
		}
	}
	a := spectrum(said[from:from+length], 1)
	b := spectrum(heard[first+at:first+at+length], factor)
	level(a, b)
	return shift - finely + at, similarity(newNeurogram(a), newNeurogram(b), 0, len(a), 0)
}

// Mean is the mean similarity of patches.
func Mean(patches []Patch) (sum float64) {
	for _, p := range patches {
		sum += p.Similarity / float64(len(patches))
	}
	return sum
}
