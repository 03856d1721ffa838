package speech

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewClip(t *testing.T) {
	packets := [][]byte{silk(40), silk(41), silk(40), {0x08}}
	c, err := NewClip("test", packets)
	require.NoError(t, err)
	assert.Equal(t, 0.5, c.Unique(), "two of four have a twin")
	index := c.Index()
	assert.Equal(t, []int{0, 2}, index[c.Frames[0].Hash])
	assert.Equal(t, []int{1}, index[c.Frames[1].Hash])
	assert.Len(t, index, 3)

	_, err = NewClip("test", nil)
	assert.ErrorContains(t, err, "it has no audio")
	_, err = NewClip("test", [][]byte{silk(40), {0}})
	assert.ErrorContains(t, err, "audio packet 1 is 10ms long")
	assert.Zero(t, (&Clip{}).Unique())
}

func TestUndecodableFrames(t *testing.T) {
	speech, err := Load("testdata/mono.ogg")
	require.NoError(t, err)
	var loud []byte
	for _, f := range speech.Frames {
		if f.Level < 25 {
			loud = f.Payload
		}
	}
	// Two frames of 10 ms whose lengths go beyond the packet.
	broken := []byte{0x02, 0xff, 0xff, 0x01}
	c, err := NewClip("test", [][]byte{loud, broken, {0x08}})
	require.NoError(t, err)
	assert.Equal(t, 1, c.Undecoded)
	assert.Equal(t, c.Frames[0].Level, c.Frames[1].Level, "what can't be decoded is as loud as what came before")
}

func TestLevel(t *testing.T) {
	sine := make([]float32, 960)
	for i := range sine {
		sine[i] = float32(math.Sin(2 * math.Pi * float64(i) / 96))
	}
	square := make([]float32, 960)
	faint := make([]float32, 960)
	loud := make([]float32, 960)
	for i := range square {
		square[i], faint[i], loud[i] = 1, 1e-9, 4
	}
	for name, tt := range map[string]struct {
		samples []float32
		want    uint8
	}{
		"nothing":                     {nil, 127},
		"silence":                     {make([]float32, 960), 127},
		"a full-scale sine":           {sine, 3},
		"a full-scale square wave":    {square, 0},
		"below what can be expressed": {faint, 127},
		"beyond full scale":           {loud, 0},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, level(tt.samples)) })
	}
}

func FuzzNewClip(f *testing.F) {
	for _, name := range []string{"testdata/mono.ogg", "testdata/stereo.ogg"} {
		c, err := Load(name)
		require.NoError(f, err)
		for i := 0; i < len(c.Frames); i += 11 {
			f.Add(c.Frames[i].Payload, c.Frames[(i+1)%len(c.Frames)].Payload)
		}
	}
	f.Add([]byte{0x08}, []byte{0x02, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		c, err := NewClip("fuzz", [][]byte{a, b, a})
		if err != nil {
			return
		}
		require.Len(t, c.Frames, 3)
		for _, frame := range c.Frames {
			require.LessOrEqual(t, frame.Level, uint8(Silent))
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load("testdata/mono.ogg"); err != nil {
			b.Fatal(err)
		}
	}
}

// Of the packets without audio in a row, the first is sent.
func TestNewClipMarksPauses(t *testing.T) {
	c, err := NewClip("x", [][]byte{{0x78}, {0x78}, {0x78, 0}, {0x78, 1, 2}, {0x78}, {0x78, 1, 2}, {0x78}, {0x78}})
	require.NoError(t, err)
	var pauses []bool
	for _, f := range c.Frames {
		pauses = append(pauses, f.Pause)
	}
	assert.Equal(t, []bool{false, true, true, false, false, false, false, true}, pauses)
	assert.EqualValues(t, Silent, c.Frames[1].Level)
	assert.True(t, c.Pauses())

	c, err = NewClip("x", [][]byte{{0x78, 1, 2}, {0x78}, {0x78, 1, 2}})
	require.NoError(t, err)
	assert.False(t, c.Pauses(), "all of it is sent")
}

// What is found out about a recording is kept, for it alone: the same packets in another order are
// another recording.
func TestNewClipMeasuresARecordingOnce(t *testing.T) {
	one, err := Load("testdata/mono.ogg")
	require.NoError(t, err)
	var packets [][]byte
	for _, f := range one.Frames {
		packets = append(packets, f.Payload)
	}
	measure := func(packets [][]byte) (c *Clip, more int) {
		before := len(measured.by)
		c, err := NewClip(one.Name, packets)
		require.NoError(t, err)
		direct, err := decodeLevels(c.Frames)
		require.NoError(t, err)
		for i, f := range c.Frames {
			require.Equal(t, direct.levels[i], f.Level, "frame %d", i)
		}
		return c, len(measured.by) - before
	}
	again, more := measure(packets)
	assert.Equal(t, one, again)
	assert.Zero(t, more)
	slices.Reverse(packets)
	_, more = measure(packets)
	assert.Equal(t, 1, more)

	for i := range maxMeasured {
		_, _ = measure(packets[i : i+1])
	}
	assert.LessOrEqual(t, len(measured.by), maxMeasured)
	again, err = Load("testdata/mono.ogg")
	require.NoError(t, err)
	assert.Equal(t, one, again, "also if it has been forgotten meanwhile")
}
