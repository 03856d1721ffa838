package measure

import (
	"slices"

	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// codecFactors are what the E-model knows of a codec: its equipment impairment Ie, and its
// robustness Bpl against loss by chance and in bursts.
type codecFactors struct{ impairment, random, bursty float64 }

// A codecPoint is the factors at a bit rate, in kbit/s.
type codecPoint struct {
	rate float64
	codecFactors
}

// The factors of Opus in its super-wideband mode, with variable and with constant bit rate.
// ITU-T G.113 has none for Opus; these are measurements of M. Alahmadi, P. Pocta and
// H. Melvin, "An Adaptive Bitrate Switching Algorithm for Speech Applications in Context of
// WebRTC", ACM TOMM 17(4), 2021, doi:10.1145/3458751, as the first author published them at
// github.com/mohaoahmadi/Opus_Codec_Quality_Evaluation. So the score is an estimate.
var (
	variableRate = []codecPoint{
		{14, codecFactors{38.06, 16.51, 9.13}},
		{15, codecFactors{34.12, 15, 7.9}},
		{16, codecFactors{30.163, 11.83, 10.06}},
		{19, codecFactors{23.807, 10.67, 8.92}},
		{22, codecFactors{20.223, 10.47, 8.57}},
		{25, codecFactors{20.209, 11.28, 9.18}},
		{28, codecFactors{18.477, 10.63, 8.91}},
		{31, codecFactors{16.829, 10.44, 8.82}},
		{34, codecFactors{14.759, 10.12, 8.54}},
		{37, codecFactors{12.078, 10.38, 8.30}},
		{40, codecFactors{10.666, 9.79, 8.04}},
	}
	constantRate = []codecPoint{
		{16, codecFactors{36.881, 13.30, 10.80}},
		{19, codecFactors{29.580, 10.74, 8.93}},
		{22, codecFactors{23.380, 10.01, 8.46}},
		{25, codecFactors{22.644, 10.57, 8.74}},
		{28, codecFactors{23.652, 11.67, 9.98}},
		{31, codecFactors{21.742, 11.51, 9.58}},
		{34, codecFactors{20.620, 11.78, 9.69}},
		{37, codecFactors{16.229, 10.62, 8.99}},
		{40, codecFactors{15.898, 11.35, 9.37}},
	}
	// usual is for our recordings, and where the bit rate says nothing.
	usual = codecFactors{20.209, 11.28, 9.18}
)

const (
	// minRate is the least bit rate of Opus (RFC 6716, section 2.1.1), in kbit/s. What has
	// less is mostly silence.
	minRate = 6
	// silentBytes is the length of a frame up to which it says that there is silence.
	silentBytes = 2
	// fullBurst is from which burst ratio on loss is as bursty as that for which the
	// bursty factors are. The source does not say; it is ours.
	fullBurst = 2
)

// factorsOf are those of a recording, by the bit rate of its frames that are not silent.
func factorsOf(c *speech.Clip) codecFactors {
	frames, bytes, length, constant := 0, 0, 0, true
	for _, f := range c.Frames {
		n := len(f.Payload)
		if n <= silentBytes {
			continue
		}
		constant = constant && (length == 0 || n == length)
		frames, bytes, length = frames+1, bytes+n, n
	}
	if frames == 0 {
		return usual
	}
	rate := float64(bytes*8) / float64(frames) / float64(timebase.BinLength.Milliseconds())
	switch {
	case rate < minRate:
		return usual
	case constant:
		return interpolated(constantRate, rate)
	}
	return interpolated(variableRate, rate)
}

// interpolated are the factors at a bit rate, between the two nearest that are known.
// Beyond the least and the greatest they stay as they are.
func interpolated(points []codecPoint, rate float64) codecFactors {
	i := slices.IndexFunc(points, func(p codecPoint) bool { return p.rate >= rate })
	switch i {
	case 0:
		return points[0].codecFactors
	case -1:
		return points[len(points)-1].codecFactors
	}
	a, b := points[i-1], points[i]
	return mixed(a.codecFactors, b.codecFactors, (rate-a.rate)/(b.rate-a.rate))
}

// mixed are factors between two others.
func mixed(a, b codecFactors, share float64) codecFactors {
	mix := func(x, y float64) float64 { return x + share*(y-x) }
	return codecFactors{mix(a.impairment, b.impairment), mix(a.random, b.random), mix(a.bursty, b.bursty)}
}

// effective is the impairment by a loss in percent (ITU-T G.107, clause 7.5). The factor for
// bursts replaces that for chance as loss gets bursty. Of what is burstier than it is for,
// the model's own term takes care.
func (c codecFactors) effective(loss, burstRatio float64) float64 {
	bursty := min(max(burstRatio-1, 0)/(fullBurst-1), 1)
	robustness := c.random + bursty*(c.bursty-c.random)
	beyond := max(1, burstRatio/fullBurst)
	return c.impairment + (totalLoss-c.impairment)*loss/(loss/beyond+robustness)
}

// factors are the mean of those of the room's recordings.
func (r *Ledger) factors() codecFactors {
	if f := r.codec.Load(); f != nil {
		return *f
	}
	return usual
}

// mixFactors sets them. r.mu is held.
func (r *Ledger) mixFactors() {
	var mean codecFactors
	for i, m := range r.list() {
		mean = mixed(mean, m.clip.factors, 1/float64(i+1))
	}
	r.codec.Store(&mean)
}
