package browser_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pion/opus"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// rate is the sample rate of all audio here, and frame 20 ms of it.
const (
	rate  = 48_000
	frame = rate / 50
)

func clip(t *testing.T, voice string) *speech.Clip {
	t.Helper()
	c, err := speech.Load("../../scenarios/audio/" + voice)
	require.NoError(t, err)
	return c
}

// wave writes a voice as the WAV file that a fake microphone plays, over and
// over, and returns its path.
func wave(t *testing.T, dir, voice string) string {
	t.Helper()
	decoder, err := opus.NewDecoderWithOutput(rate, 1)
	require.NoError(t, err)
	var pcm bytes.Buffer
	samples := make([]float32, frame)
	for _, f := range clip(t, voice).Frames {
		n, err := decoder.DecodeToFloat32(f.Payload, samples)
		require.NoError(t, err)
		for _, s := range samples[:n] {
			require.NoError(t, binary.Write(&pcm, binary.LittleEndian, int16(32767*max(-1, min(1, s)))))
		}
	}
	var file bytes.Buffer
	file.WriteString("RIFF")
	le := func(v any) { require.NoError(t, binary.Write(&file, binary.LittleEndian, v)) }
	le(uint32(36 + pcm.Len()))
	file.WriteString("WAVEfmt ")
	le(uint32(16))
	le([]uint16{1, 1}) // PCM, mono
	le([]uint32{rate, 2 * rate})
	le([]uint16{2, 16})
	file.WriteString("data")
	le(uint32(pcm.Len()))
	file.Write(pcm.Bytes())
	path := filepath.Join(dir, voice+".wav")
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))
	return path
}

// An envelope is the loudness of each 20 ms as an amplitude from 0 to 1.
type envelope []float64

func envelopeOf(c *speech.Clip) envelope {
	e := make(envelope, len(c.Frames))
	for i, f := range c.Frames {
		e[i] = math.Pow(10, -float64(f.Level)/20)
	}
	return e
}

// energy is the mean square.
func (e envelope) energy() float64 {
	var sum float64
	for _, v := range e {
		sum += v * v
	}
	return sum / float64(max(1, len(e)))
}

// likeness is how well what was heard fits a place in what is said over and
// over: the greatest Pearson correlation of the two loudnesses in decibels over
// every place, from -1 to 1. Decibels, because a browser's microphone evens out
// what it takes.
func (e envelope) likeness(said envelope) float64 {
	heard, loop := e.decibels(), said.decibels()
	best := -1.0
	for at := range loop {
		var n, x, y, xx, yy, xy float64
		for i, a := range heard {
			b := loop[(at+i)%len(loop)]
			n, x, y, xx, yy, xy = n+1, x+a, y+b, xx+a*a, yy+b*b, xy+a*b
		}
		if spread := (n*xx - x*x) * (n*yy - y*y); spread > 0 {
			best = max(best, (n*xy-x*y)/math.Sqrt(spread))
		}
	}
	return best
}

// decibels are the loudnesses above a floor that is below any speech.
func (e envelope) decibels() []float64 {
	out := make([]float64, len(e))
	for i, v := range e {
		out[i] = max(-60, 20*math.Log10(v+1e-9))
	}
	return out
}

func TestLikenessTellsVoicesApart(t *testing.T) {
	names := []string{"speech.ogg", "reader.ogg", "guest.ogg", "host.ogg"}
	voices := map[string]envelope{}
	for _, name := range names {
		voices[name] = envelopeOf(clip(t, name))
	}
	most := 0.0
	for _, name := range names {
		for at := 0; at+250 <= len(voices[name]); at += 125 {
			part := voices[name][at : at+250]
			for _, other := range names {
				like := part.likeness(voices[other])
				if name == other {
					require.Greater(t, like, 0.99)
				} else {
					most = max(most, like)
				}
			}
		}
	}
	t.Logf("five seconds of one voice are like another by %.2f at most", most)
	require.Less(t, most, alike)
	require.Negative(t, envelope(make([]float64, 100)).likeness(voices[names[0]]), "silence is like nothing")
}
