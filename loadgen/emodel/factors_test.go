package emodel

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// recordingOf has frames of so many bytes.
func recordingOf(lengths ...int) *speech.Clip {
	c := &speech.Clip{}
	for _, n := range lengths {
		c.Frames = append(c.Frames, speech.Frame{Payload: make([]byte, n)})
	}
	return c
}

func TestCodecFactorsFollowTheBitRate(t *testing.T) {
	for _, c := range []struct {
		name string
		clip *speech.Clip
		want Factors
	}{
		{"25 kbit/s, with variable bit rate", recordingOf(60, 65), Factors{20.209, 11.28, 9.18}},
		{"silence does not count", recordingOf(60, 2, 1, 65, 0), Factors{20.209, 11.28, 9.18}},
		{"between two rates", recordingOf(66, 66, 66, 67), Factors{19.343, 10.955, 9.045}}, // 26.5
		{"constant bit rate", recordingOf(100, 100), Factors{15.898, 11.35, 9.37}},
		{"more than is known", recordingOf(200, 201), Factors{10.666, 9.79, 8.04}},
		{"less than is known", recordingOf(20, 21), Factors{38.06, 16.51, 9.13}},
		{"less than Opus has", recordingOf(9, 10), Usual},
		{"nothing", recordingOf(), Usual},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Of(c.clip)
			assert.InDelta(t, c.want.Impairment, got.Impairment, 0.01)
			assert.InDelta(t, c.want.Random, got.Random, 0.01)
			assert.InDelta(t, c.want.Bursty, got.Bursty, 0.01)
		})
	}
}

func TestEffectiveImpairmentOfBursts(t *testing.T) {
	assert.InDelta(t, 20.209, Usual.effective(0, 1), 1e-9)
	assert.InDelta(t, 20.209+111.791*5/(5+11.28), Usual.effective(5, 1), 1e-3, "by chance")
	assert.InDelta(t, 20.209+111.791*5/(5+9.18), Usual.effective(5, 2), 1e-3, "in bursts")
	assert.InDelta(t, 20.209+111.791*5/(2.5+9.18), Usual.effective(5, 4), 1e-3, "in long bursts")
	before := 0.0
	for ratio := 1.0; ratio < 50; ratio *= 1.1 {
		now := Usual.effective(3, ratio)
		assert.Greater(t, now, before, "the burstier the worse: %v", ratio)
		before = now
	}
}
