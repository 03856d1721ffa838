package measure

import (
	"math"
	"time"
)

const (
	// What a listener's receiver adds to the network's delay, besides the
	// frame itself: a play-out buffer of two frames and the codec's look-ahead
	// of 6.5 ms (RFC 6716 §2).
	playout = 2*BinLength + BinLength + 6500*time.Microsecond

	// The basic signal-to-noise ratio less the simultaneous impairments, with
	// all of ITU-T G.107's (2015) table 2 at its defaults.
	clearRating = 93.2

	// Equipment impairment and robustness against random loss. ITU-T G.113
	// has no values for Opus; these are its appendix I's for G.711 with
	// packet-loss concealment, which is why the figure is an estimate.
	impairment = 0.0
	robustness = 25.1
)

// mos estimates a listener's mean opinion score, from 1 to 4.5, from the mean
// delay and the loss of the measured window, by the E-model (ITU-T G.107).
func (a *account) mos() float64 {
	loss := 100 * (1 - float64(a.passes)/float64(a.total)) // in percent
	delay := playout
	if a.latencies > 0 {
		delay += a.latencySum / time.Duration(a.latencies)
	}
	// G.107 (7-29), with a burst ratio of 1: losses are taken as random.
	effective := impairment + (95-impairment)*loss/(loss+robustness)
	return score(clearRating - delayed(delay) - effective)
}

// delayed is the impairment by absolute delay, Idd of ITU-T G.107 (7-27) and
// (7-28), with the default sensitivity.
func delayed(d time.Duration) float64 {
	milliseconds := float64(d) / float64(time.Millisecond)
	if milliseconds <= 100 {
		return 0
	}
	x := math.Log2(milliseconds / 100)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
}

// score turns a rating into an opinion score: ITU-T G.107 annex B, (B-4).
func score(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	// The polynomial dips below 1 for ratings under 6.5.
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
