package speech

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHasFEC(t *testing.T) {
	const (
		silk   = 9 << 3  // wideband, 20 ms
		hybrid = 13 << 3 // super-wideband, 20 ms
		celt   = 31 << 3
		stereo = 4
	)
	for _, c := range []struct {
		name   string
		packet []byte
		want   bool
	}{
		{"SILK with a copy", []byte{silk, 0x40, 1}, true},
		{"SILK with voice alone", []byte{silk, 0x80, 1}, false},
		{"hybrid with a copy", []byte{hybrid, 0xc0, 1}, true},
		{"stereo with a copy for the second channel", []byte{silk | stereo, 0x10, 1}, true},
		{"the same bit says nothing in mono", []byte{silk, 0x10, 1}, false},
		{"CELT has none", []byte{celt, 0x40, 1}, false},
		{"60 ms", []byte{11 << 3, 0x40, 1}, false},
		{"two frames", []byte{8<<3 | 1, 0x40, 1}, false},
		{"silence", []byte{silk}, false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, HasFEC(c.packet)) })
	}
}

// libopus makes a copy of a frame in which somebody speaks, in the next.
func TestRecordingWithFECHasItAfterSpeech(t *testing.T) {
	c, err := Load("testdata/fec.ogg")
	require.NoError(t, err)
	spoken, copied := 0, 0
	for i, f := range c.Frames[1:] {
		if c.Frames[i].Voice {
			spoken++
			if f.FEC {
				copied++
			}
		}
	}
	assert.Greater(t, spoken, 1000)
	assert.Greater(t, float64(copied)/float64(spoken), 0.98)
	assert.False(t, c.Frames[0].FEC, "there is no frame before the first")
}

// The recordings were made without FEC: opusenc adds no copies by itself.
func TestRecordingsHaveNoFEC(t *testing.T) {
	c, err := Load("../../scenarios/audio/speech.ogg")
	assert.NoError(t, err)
	for i, f := range c.Frames {
		assert.False(t, f.FEC, "frame %d", i)
	}
}
