package score

import "math"

const (
	// lightness and structure keep the shares of NSIM from being divided by nothing:
	// (0.01)² and (0.03)²/2, for a range of intensity of 1.
	lightness, structure = 1e-4, 4.5e-4
)

// near weighs what is around a place of a spectrogram: a Gaussian of 3 × 3.
var near = [3][3]float64{
	{0.0113033910173052, 0.0838251475442633, 0.0113033910173052},
	{0.0838251475442633, 0.619485845753726, 0.0838251475442633},
	{0.0113033910173052, 0.0838251475442633, 0.0113033910173052},
}

// A neurogram is a spectrogram with the mean and the variance around each place, of which
// NSIM is made.
type neurogram struct {
	spectrogram
	mean, variance []column
}

func newNeurogram(s spectrogram) neurogram {
	n := neurogram{s, make([]column, len(s)), make([]column, len(s))}
	for i := range s {
		for b := range bands {
			m := around(s, s, i, b, 0, true)
			n.mean[i][b] = m
			n.variance[i][b] = around(s, s, i, b, 0, false) - m*m
		}
	}
	return n
}

// around is the mean around place i of a, or of its products with what is so much further
// on in b. Beyond the ends all is as it is there.
func around(a, b spectrogram, i, band, shift int, alone bool) (sum float64) {
	for di, row := range near {
		x := min(max(i+di-1, 0), len(a)-1)
		y := min(max(i+shift+di-1, 0), len(b)-1)
		for db, weight := range row {
			k := min(max(band+db-1, 0), bands-1)
			if alone {
				sum += weight * a[x][k]
			} else {
				sum += weight * a[x][k] * b[y][k]
			}
		}
	}
	return sum
}

// similarity is the NSIM of columns [from, from+length) of what was said and those so much
// further on in what was heard: 1 if they are the same, and about 0 if they have nothing in
// common.
func similarity(said, heard neurogram, from, length, shift int) float64 {
	sum := 0.0
	for i := from; i < from+length; i++ {
		j := i + shift
		if j < 0 || j >= len(heard.spectrogram) {
			continue // nothing was heard
		}
		for b := range bands {
			x, y := said.mean[i][b], heard.mean[j][b]
			both := around(said.spectrogram, heard.spectrogram, i, b, shift, false) - x*y
			spread := math.Sqrt(max(0, said.variance[i][b]*heard.variance[j][b]))
			sum += (2*x*y + lightness) / (x*x + y*y + lightness) * (both + structure) / (spread + structure)
		}
	}
	return sum / float64(length*bands)
}

// Opinion is the score of a mean similarity, from 1 to 5: ViSQOL's exponential fit to
// people's opinions of TCD-VOIP, scaled so that what is the same has 5.
func Opinion(similarity float64) float64 {
	const shift, slope, origin, scale = -262.847869, 0.0154302525, -361.063949, 1.245063
	if similarity < 0.15 {
		return 1 // they have nothing in common
	}
	return min(max(1, scale*(shift+math.Exp(slope*(similarity-origin)))), 5)
}
