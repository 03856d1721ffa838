package emodel

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
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

	// What is added to the delay from the intended sending to the play-out: the
	// frame itself, and the codec's look-ahead of 6.5 ms (RFC 6716, section 2).
	framing = timebase.BinLength + 6500*time.Microsecond

	// HighestOpinion is the highest score: ITU-T G.107 annex B.
	HighestOpinion = 4.5
)

// Opinion estimates the mean opinion score, from 1 to [HighestOpinion], of speech of which so many
// percent were lost, in bursts so many times as long as chance would make them, and that was played so
// long after it was sent.
func (c Factors) Opinion(loss, burstRatio float64, delay time.Duration) float64 {
	return opinion((clearRating-c.effective(loss, burstRatio))/fullband - delayed(framing+delay))
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

// opinion turns a rating into an opinion score: ITU-T G.107 annex B, (B-4).
func opinion(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return HighestOpinion
	}
	// The polynomial dips below 1 for ratings under 6.5.
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
