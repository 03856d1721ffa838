package score

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// What is credited as a copy is one: of a frame that is lost it leaves less than half of the error that concealment
// leaves. The recording is libopus's.
func TestCopiesSoundLikeTheFramesThatAreLost(t *testing.T) {
	clip, err := speech.Load("../speech/testdata/fec.ogg")
	require.NoError(t, err)
	whole, repaired, concealed := newDecoder(t), newDecoder(t), newDecoder(t)
	var power, copied, made float64
	tried := 0
	for i, f := range clip.Frames[:1500] {
		said := whole.Frame(f.Payload)
		if i%10 != 5 || !speech.HasFEC(clip.Frames[i+1].Payload) {
			repaired.Frame(f.Payload)
			concealed.Frame(f.Payload)
			continue
		}
		tried++
		copied += difference(said, repaired.copied(clip.Frames[i+1].Payload))
		made += difference(said, concealed.conceal(frameSamples))
		power += difference(said, make([]float64, frameSamples))
	}
	t.Logf("%d frames: of their power, %.3f is missed by the copies, and %.3f by concealment", tried, copied/power, made/power)
	assert.Greater(t, tried, 100)
	assert.Less(t, copied, made/2)
}

func newDecoder(t *testing.T) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	require.NoError(t, err)
	return d
}

// difference is the power of what two sounds differ by.
func difference(a, b []float64) (sum float64) {
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return sum
}
