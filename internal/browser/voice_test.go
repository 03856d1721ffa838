package browser_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pion/opus"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// rate is the sample rate of all audio here, and frame 20 ms of it.
const (
	rate  = 48_000
	frame = rate / 50
)

func clip(t *testing.T, voice string) *speech.Clip {
	t.Helper()
	return testaudio.Clip(t, voice)
}

// waves holds a func() (path string, err error) for each voice that was asked for.
var waves sync.Map

// wave is the path of a voice as the WAV file that a fake microphone plays, over
// and over. It is written once.
func wave(t *testing.T, voice string) string {
	t.Helper()
	write, _ := waves.LoadOrStore(voice, sync.OnceValues(func() (string, error) {
		file, err := encodeWAV(clip(t, voice))
		if err != nil {
			return "", err
		}
		path := filepath.Join(work, voice+".wav")
		return path, os.WriteFile(path, file, 0o600)
	}))
	path, err := write.(func() (string, error))()
	require.NoError(t, err)
	return path
}

// encodeWAV decodes a clip into a WAV file of 16-bit samples.
func encodeWAV(c *speech.Clip) ([]byte, error) {
	decoder, err := opus.NewDecoderWithOutput(rate, 1)
	if err != nil {
		return nil, err
	}
	var pcm []byte
	samples := make([]float32, frame)
	for _, f := range c.Frames {
		n, err := decoder.DecodeToFloat32(f.Payload, samples)
		if err != nil {
			return nil, err
		}
		for _, s := range samples[:n] {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(32767*max(-1, min(1, s)))))
		}
	}
	le := binary.LittleEndian
	file := []byte("RIFF")
	file = le.AppendUint32(file, uint32(36+len(pcm)))
	file = append(file, "WAVEfmt "...)
	file = le.AppendUint32(file, 16)
	file = le.AppendUint16(file, 1) // PCM
	file = le.AppendUint16(file, 1) // mono
	file = le.AppendUint32(file, rate)
	file = le.AppendUint32(file, 2*rate)
	file = le.AppendUint16(file, 2)
	file = le.AppendUint16(file, 16)
	file = append(file, "data"...)
	file = le.AppendUint32(file, uint32(len(pcm)))
	return append(file, pcm...), nil
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

// span is how much of a record must fit what is said: 3 s. On a busy machine the
// fake microphone itself skips, so that longer stretches are seldom whole.
const span = 150

// alike is the likeness above which it is the voice; others reach 0.70.
const alike = 0.74

// likeness is how well the best stretch of what was heard fits a place in what is
// said over and over: the greatest Pearson correlation of the two loudnesses in
// decibels over every stretch of [span] frames and every place, from -1 to 1.
// Decibels, because a browser's microphone evens out what it takes.
func (e envelope) likeness(said envelope) float64 {
	heard, loop, best := e.decibels(), said.decibels(), -1.0
	for at := 0; at == 0 || at+span <= len(heard); at += span / 6 {
		best = max(best, correlate(heard[at:min(at+span, len(heard))], loop))
	}
	return best
}

// correlate is the arithmetic of [envelope.likeness]. It shares nothing with
// another goroutine, and the race detector makes it thirty times as slow.
//
//go:norace
func correlate(heard, loop []float64) float64 {
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

// decibels are the loudnesses above a floor: the browser's noise suppression
// silences what is below it.
func (e envelope) decibels() []float64 {
	out := make([]float64, len(e))
	for i, v := range e {
		out[i] = max(-36, 20*math.Log10(v+1e-9))
	}
	return out
}

func TestLikenessDistinguishesVoices(t *testing.T) {
	names := []string{"speech.ogg", "reader.ogg", "guest.ogg", "host.ogg"}
	voices := map[string]envelope{}
	for _, name := range names {
		voices[name] = envelopeOf(clip(t, name))
	}
	most := 0.0
	for _, name := range names {
		for at := 0; at+span <= len(voices[name]); at += span / 2 {
			part := voices[name][at : at+span]
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
	t.Logf("three seconds of one voice are like another by %.2f at most", most)
	require.Less(t, most, alike)
	require.Negative(t, envelope(make([]float64, 100)).likeness(voices[names[0]]), "silence is like nothing")
}

// radio has Ada talk in an open room of a server, which is at url for her and for Bo, and Bo hear
// what she said.
func radio(t *testing.T, url string) (ada, bo *person, said envelope) {
	t.Helper()
	c := sharedChromium(t)
	said = envelopeOf(clip(t, "speech.ogg"))
	ada = c.person("Ada")
	ada.opensRoom(url, "Radio")
	ada.click("Turn your microphone on")
	bo = c.person("Bo")
	bo.follows(url+"/#/r/radio", "Listen in")
	bo.hears(said)
	return ada, bo, said
}
