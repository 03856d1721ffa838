package speech

import (
	"testing"

	"github.com/stretchr/testify/assert"
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

// The recordings were made without expected loss, so that opusenc adds no copies.
func TestRecordingsHaveNoFEC(t *testing.T) {
	c, err := Load("../../scenarios/audio/speech.ogg")
	assert.NoError(t, err)
	for i, f := range c.Frames {
		assert.False(t, f.FEC, "frame %d", i)
	}
}
