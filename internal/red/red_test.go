package red

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAppendAndParse(t *testing.T) {
	packet := Append(nil, 111, Block{960, []byte("old")}, []byte("frame"))
	assert.Len(t, packet, Size(3, 5))
	assert.Equal(t, []byte{0x80 | 111, 0x0f, 0, 3, 111}, packet[:5], "as RFC 2198, section 3, draws it: 14 bits for 960, 10 for 3")
	frame, copies, err := Parse(packet, 111, nil)
	require.NoError(t, err)
	assert.Equal(t, "frame", string(frame))
	assert.Equal(t, []Block{{960, []byte("old")}}, copies)

	format, ok := Format(packet)
	assert.True(t, ok)
	assert.EqualValues(t, 111, format)
	_, ok = Format(packet[:4])
	assert.False(t, ok)

	frame, copies, err = Parse(Append(nil, 111, Block{}, []byte("alone")), 111, nil)
	require.NoError(t, err)
	assert.Equal(t, "alone", string(frame))
	assert.Empty(t, copies)
}

func TestParse(t *testing.T) {
	two := append([]byte{0x80 | 111, 0x1e, 0, 1, 0x80 | 111, 0x0f, 0, 1, 111}, "abc"...)
	for name, c := range map[string]struct {
		payload []byte
		frame   string
		copies  []Block
		ok      bool
	}{
		"two copies, the oldest first":        {two, "c", []Block{{1920, []byte("a")}, {960, []byte("b")}}, true},
		"a copy of another format":            {append([]byte{0x80 | 13, 0x0f, 0, 1, 111}, "ab"...), "b", nil, true},
		"an empty copy":                       {append([]byte{0x80 | 111, 0x0f, 0, 0, 111}, "b"...), "b", nil, true},
		"no frame":                            {[]byte{111}, "", nil, true},
		"nothing":                             {nil, "", nil, false},
		"a header cut off":                    {two[:6], "", nil, false},
		"no last header":                      {two[:8], "", nil, false},
		"copies longer than the payload":      {two[:10], "", nil, false},
		"a frame of another format, and Opus": {[]byte("\x78opus"), "", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			frame, copies, err := Parse(c.payload, 111, nil)
			if !c.ok {
				assert.ErrorIs(t, err, ErrMalformed)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.frame, string(frame))
			assert.Equal(t, c.copies, copies)
		})
	}
}

func TestFits(t *testing.T) {
	assert.True(t, Fits(960, 60, 60))
	assert.False(t, Fits(MaxOffset+1, 60, 60), "a pause lies between them")
	assert.False(t, Fits(0, 60, 60))
	assert.False(t, Fits(960, MaxBlock+1, 20))
	assert.False(t, Fits(960, 600, 600), "longer than a path's MTU")
	assert.False(t, Fits(960, 0, 60))
}

func FuzzParse(f *testing.F) {
	f.Add(Append(nil, 111, Block{960, []byte("old")}, []byte("frame")))
	f.Add([]byte{0xef, 0x0f, 0, 3, 111})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, copies, err := Parse(b, 111, nil)
		if err != nil || len(copies) != 1 {
			return
		}
		again, same, err := Parse(Append(nil, 111, copies[0], frame), 111, nil)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(frame, again))
		assert.Equal(t, copies, same)
	})
}
