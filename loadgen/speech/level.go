package speech

import (
	"math"

	"github.com/pion/opus"
)

// Silent is the level of digital silence, and the quietest that the header
// extension of RFC 6464 can express: -127 dBov.
const Silent = 127

const (
	// voiceRange is how far below a clip's loudest frame a frame still counts
	// as voice, in dB: what is quieter are pauses and breath.
	voiceRange = 30
	// voiceFloor is the level at which nothing is voice, in -dBov.
	voiceFloor = 70
)

// measure sets the frames' levels and their voice flags by decoding them in
// order. A frame that the decoder does not understand is given the level of the
// one before it, which is what a receiver would conceal it with; undecoded is
// how many there were.
func measure(frames []Frame) (undecoded int, err error) {
	// Stereo, so that both channels of a stereo frame count; mono comes out
	// twice and keeps its level.
	decoder, err := opus.NewDecoderWithOutput(48_000, 2)
	if err != nil {
		return 0, err
	}
	samples := make([]float32, 2*samplesPerFrame)
	last, loudest := uint8(Silent), uint8(Silent)
	for i := range frames {
		if isDTX(frames[i].Payload) {
			last, frames[i].Level = Silent, Silent
			continue
		}
		n, err := decoder.DecodeToFloat32(frames[i].Payload, samples)
		if err == nil {
			last = level(samples[:2*n])
		} else {
			undecoded++
		}
		frames[i].Level = last
		loudest = min(loudest, last)
	}
	for i := range frames {
		frames[i].Voice = frames[i].Level <= min(loudest+voiceRange, voiceFloor)
	}
	return undecoded, nil
}

// level is the root mean square of samples in -dBov (RFC 6464, section 3): 0 is that of
// the loudest square wave, 127 that of silence.
func level(samples []float32) uint8 {
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	if len(samples) == 0 || !(sum > 0) {
		return Silent
	}
	rms := math.Sqrt(sum / float64(len(samples)))
	return uint8(math.Round(min(max(-20*math.Log10(rms), 0), Silent)))
}
