package emodel

import (
	"slices"

	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Factors are what the E-model knows of a codec: its equipment impairment Ie, and its
// robustness Bpl against loss by chance and in bursts.
type Factors struct{ Impairment, Random, Bursty float64 }

// A point is the factors at a bit rate, in kbit/s.
type point struct {
	rate float64
	Factors
}

// The factors of Opus in its super-wideband mode, with variable and with constant bit rate.
// ITU-T G.113 has none for Opus; these are measurements of M. Alahmadi, P. Pocta and
// H. Melvin, "An Adaptive Bitrate Switching Algorithm for Speech Applications in Context of
// WebRTC", ACM TOMM 17(4), 2021, doi:10.1145/3458751, as the first author published them at
// github.com/mohaoahmadi/Opus_Codec_Quality_Evaluation. So the score is an estimate.
var (
	variableRate = []point{
		{14, Factors{38.06, 16.51, 9.13}},
		{15, Factors{34.12, 15, 7.9}},
		{16, Factors{30.163, 11.83, 10.06}},
		{19, Factors{23.807, 10.67, 8.92}},
		{22, Factors{20.223, 10.47, 8.57}},
		{25, Factors{20.209, 11.28, 9.18}},
		{28, Factors{18.477, 10.63, 8.91}},
		{31, Factors{16.829, 10.44, 8.82}},
		{34, Factors{14.759, 10.12, 8.54}},
		{37, Factors{12.078, 10.38, 8.30}},
		{40, Factors{10.666, 9.79, 8.04}},
	}
	constantRate = []point{
		{16, Factors{36.881, 13.30, 10.80}},
		{19, Factors{29.580, 10.74, 8.93}},
		{22, Factors{23.380, 10.01, 8.46}},
		{25, Factors{22.644, 10.57, 8.74}},
		{28, Factors{23.652, 11.67, 9.98}},
		{31, Factors{21.742, 11.51, 9.58}},
		{34, Factors{20.620, 11.78, 9.69}},
		{37, Factors{16.229, 10.62, 8.99}},
		{40, Factors{15.898, 11.35, 9.37}},
	}
	// Usual is for our recordings, and where the bit rate says nothing.
	Usual = Factors{20.209, 11.28, 9.18}
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

// Of are those of a recording, by the bit rate of its frames that are not silent.
func Of(c *speech.Clip) Factors {
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
		return Usual
	}
	rate := float64(bytes*8) / float64(frames) / float64(timebase.BinLength.Milliseconds())
	switch {
	case rate < minRate:
		return Usual
	case constant:
		return interpolated(constantRate, rate)
	}
	return interpolated(variableRate, rate)
}

// interpolated are the factors at a bit rate, between the two nearest that are known.
// Beyond the least and the greatest they stay as they are.
func interpolated(points []point, rate float64) Factors {
	i := slices.IndexFunc(points, func(p point) bool { return p.rate >= rate })
	switch i {
	case 0:
		return points[0].Factors
	case -1:
		return points[len(points)-1].Factors
	}
	a, b := points[i-1], points[i]
	return Mixed(a.Factors, b.Factors, (rate-a.rate)/(b.rate-a.rate))
}

// Mixed are factors between two others.
func Mixed(a, b Factors, share float64) Factors {
	mix := func(x, y float64) float64 { return x + share*(y-x) }
	return Factors{mix(a.Impairment, b.Impairment), mix(a.Random, b.Random), mix(a.Bursty, b.Bursty)}
}

// effective is the impairment by a loss in percent (ITU-T G.107, clause 7.5). The factor for
// bursts replaces that for chance as loss gets bursty. Of what is burstier than it is for,
// the model's own term takes care.
func (c Factors) effective(loss, burstRatio float64) float64 {
	bursty := min(max(burstRatio-1, 0)/(fullBurst-1), 1)
	robustness := c.Random + bursty*(c.Bursty-c.Random)
	beyond := max(1, burstRatio/fullBurst)
	return c.Impairment + (totalLoss-c.Impairment)*loss/(loss/beyond+robustness)
}
