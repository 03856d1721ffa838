package measure

import (
	"math"
	"math/bits"
	"time"
)

// The E-model in its fullband form, ITU-T G.107.2 (2019), whose ratings go to
// 148 and are 1.48 times those of G.107. All that has no constant here is at its
// default, which impairs nothing.
const (
	// clearRating is the rating without any impairment, and fullband what makes
	// one of G.107 of it, on which the opinion score is defined: G.107.2 clause
	// 6.2 and annex A.
	clearRating = 148
	fullband    = 1.48
	// totalLoss is what the impairment goes to as everything is lost: G.107.2
	// clause 7.5.
	totalLoss = 132

	// Equipment impairment of Opus at 25 kbit/s with variable bit rate in its
	// super-wideband mode, which is the nearest to our recordings, and its
	// robustness against random loss. ITU-T G.113 has none for Opus; these are
	// of M. Alahmadi, P. Pocta and H. Melvin, "An Adaptive Bitrate Switching
	// Algorithm for Speech Applications in Context of WebRTC", ACM TOMM 17(4),
	// 2021, doi:10.1145/3458751. So the score is an estimate.
	impairment = 20.21
	robustness = 11.28

	// What is added to the delay from the intended sending to the play-out: the
	// frame itself, and the codec's look-ahead of 6.5 ms (RFC 6716 §2).
	framing = BinLength + 6500*time.Microsecond

	// gapBins is from how many concealed frames in a row on it is a gap: 60 ms,
	// after which ITU-T G.711 appendix I has faded its concealment to silence.
	gapBins = 3
)

// A hearing is what a listener's play-out buffer made of the measured window.
type hearing struct {
	concealed uint64        // voices' frames that were owed and did not come in time
	bins      uint64        // bins in which something was owed
	runs      uint64        // stretches of bins in which something was concealed
	runBins   uint64        // bins in them
	gaps      uint64        // of the stretches, those of gapBins and more
	delay     time.Duration // sum of the times from sending to play-out
	played    uint64        // packets in that sum

	run uint64 // bins of the present stretch
}

// enter goes on over the 64 bins of a word: in owed something was owed, and in
// lacking not all of it came in time.
func (h *hearing) enter(owed, lacking uint64) {
	h.bins += uint64(bits.OnesCount64(owed))
	if lacking == 0 {
		h.end()
		return
	}
	for b := range wordBins {
		if lacking&(1<<b) == 0 {
			h.end()
			continue
		}
		h.run++
	}
}

// end ends a stretch, if there is one.
func (h *hearing) end() {
	if h.run == 0 {
		return
	}
	h.runs++
	h.runBins += h.run
	if h.run >= gapBins {
		h.gaps++
	}
	h.run = 0
}

// share is the part of what was owed that was concealed, of so many frames.
func (h *hearing) share(owed uint64) float64 { return float64(h.concealed) / float64(owed) }

// gapsPerMinute is how many gaps there are in a minute of speech.
func (h *hearing) gapsPerMinute() float64 {
	return float64(h.gaps) / (time.Duration(h.bins) * BinLength).Minutes()
}

// burstRatio is how much longer the stretches are than chance would make them:
// G.107 clause 7.5.
func (h *hearing) burstRatio() float64 {
	if h.runs == 0 || h.bins == 0 {
		return 1
	}
	mean := float64(h.runBins) / float64(h.runs)
	byChance := 1 / (1 - min(float64(h.runBins)/float64(h.bins), 0.999))
	return max(1, mean/byChance)
}

// mos estimates a listener's mean opinion score, from 1 to 4.5, of what its
// play-out buffer made of the frames it was owed.
func (h *hearing) mos(owed uint64) float64 {
	if h.concealed == owed {
		return 1 // the model has some quality left in silence
	}
	loss := 100 * h.share(owed) // in percent
	effective := impairment + (totalLoss-impairment)*loss/(loss/h.burstRatio()+robustness)
	delay := framing
	if h.played > 0 {
		delay += h.delay / time.Duration(h.played)
	}
	return score((clearRating-effective)/fullband - delayed(delay))
}

// delayed is the impairment by absolute delay, Idd of ITU-T G.107 (7-27) and
// (7-28), with the default sensitivity, on the scale of G.107.
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
