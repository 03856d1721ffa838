package score

import (
	"math"
	"time"
)

const (
	// lead is how much sound waits in a line beside what its jitter buffer has decoded, so
	// that a stretch may take or add more than the buffer knows of: 40 ms.
	lead = SampleRate / 25
	// shortestPitch and longestPitch are the ends of a pitch period that a stretch adds or
	// removes: 2.5 and 15 ms, as in NetEQ.
	shortestPitch, longestPitch = SampleRate / 400, SampleRate * 15 / 1000
	// mostDebt is by how much a line may be shorter or longer than its jitter buffer knows.
	mostDebt = lead - 2*longestPitch
)

// A line is decoded sound that waits to be played.
type line struct {
	samples []float64
	debt    int // by how many samples stretches made it longer than the buffer knows
}

func (l *line) push(sound []float64) { l.samples = append(l.samples, sound...) }

// pop takes the first n samples, or as many as there are.
func (l *line) pop(n int) []float64 {
	n = min(n, len(l.samples))
	first := l.samples[:n:n]
	l.samples = l.samples[n:]
	return first
}

// stretch makes the end of the line longer by about so much, or shorter: by the pitch period
// at which it is most like itself, with one blended into the other. Its jitter buffer
// reckons with the same length each time.
func (l *line) stretch(by time.Duration) {
	n, known := len(l.samples), SamplesIn(by)
	best, period := math.Inf(-1), 0
	for length := shortestPitch; length <= min(longestPitch, n/2); length++ {
		debt := l.debt + length - known
		if known < 0 {
			debt = l.debt - length - known
		}
		if debt > mostDebt || debt < -mostDebt {
			continue
		}
		if v := likeness(l.samples[n-2*length:n-length], l.samples[n-length:]); v > best {
			best, period = v, length
		}
	}
	if period == 0 {
		return
	}
	first, second := l.samples[n-2*period:n-period], l.samples[n-period:]
	if known > 0 {
		between := blend(second, first)
		l.samples = append(append(l.samples[:n-period:n-period], between...), second...)
		l.debt += period - known
		return
	}
	l.samples = append(l.samples[:n-2*period:n-2*period], blend(first, second)...)
	l.debt += -period - known
}

// likeness is the correlation of two sounds, from -1 to 1.
func likeness(a, b []float64) float64 {
	var product, x, y float64
	for i := range a {
		product += a[i] * b[i]
		x += a[i] * a[i]
		y += b[i] * b[i]
	}
	return product / math.Sqrt(x*y+1e-12)
}

// blend fades from one sound to another.
func blend(from, to []float64) []float64 {
	sound := make([]float64, len(from))
	for i := range sound {
		share := (float64(i) + 0.5) / float64(len(sound))
		sound[i] = (1-share)*from[i] + share*to[i]
	}
	return sound
}
