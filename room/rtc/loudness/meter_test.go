package loudness

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room/fanout"
)

// opusFile reads the packets of an Ogg Opus file (RFC 3533, RFC 7845), without
// the two header packets.
func opusFile(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var packets [][]byte
	var packet []byte
	for len(b) > 0 {
		require.True(t, bytes.HasPrefix(b, []byte("OggS")))
		lacing := b[27 : 27+int(b[26])]
		b = b[27+len(lacing):]
		for _, n := range lacing {
			packet = append(packet, b[:n]...)
			b = b[n:]
			if n < 255 {
				packets = append(packets, packet)
				packet = nil
			}
		}
	}
	return packets[2:]
}

// energy is the mean level of packets, by their power, in -dBov.
func energy(m *Meter, packets [][]byte) float64 {
	var sum float64
	for _, p := range packets {
		sum += math.Pow(10, -float64(m.Measure(p))/10)
	}
	return -10 * math.Log10(sum/float64(len(packets)))
}

func TestLoudnessMeterMeasuresSpeech(t *testing.T) {
	loud := energy(NewMeter(), opusFile(t, "speech-loud.ogg"))
	quiet := energy(NewMeter(), opusFile(t, "speech-quiet.ogg"))
	assert.InDelta(t, 20, loud, 6, "speech at a usual level")
	assert.InDelta(t, 30, quiet-loud, 2, "one file is 30 dB quieter than the other")
}

func TestLoudnessMeterTakesGarbageForSilence(t *testing.T) {
	m := NewMeter()
	for _, p := range [][]byte{{}, {0xff}, {0x03}, bytes.Repeat([]byte{0xaa}, 1400), {0xfc, 0xff, 0xfe}} {
		assert.NotPanics(t, func() { m.Measure(p) })
	}
	assert.Equal(t, fanout.Silence, m.Measure(nil))
	// And it measures on after that.
	assert.Less(t, energy(m, opusFile(t, "speech-loud.ogg")), 30.0)
}

func TestLoudnessOfSamples(t *testing.T) {
	sine := make([]float32, 480)
	for i := range sine {
		sine[i] = float32(math.Sin(2 * math.Pi * float64(i) / 48))
	}
	scaled := func(g float32) []float32 {
		out := make([]float32, len(sine))
		for i := range sine {
			out[i] = g * sine[i]
		}
		return out
	}
	assert.Equal(t, uint8(3), dbov(scaled(1)), "a full sine is 3 dB below a full square")
	assert.Equal(t, uint8(23), dbov(scaled(0.1)))
	assert.Equal(t, uint8(0), dbov(scaled(100)))
	assert.Equal(t, fanout.Silence, dbov(scaled(0)))
	assert.Equal(t, fanout.Silence, dbov(scaled(1e-9)))
	assert.Equal(t, fanout.Silence, dbov([]float32{float32(math.NaN())}))
}

func FuzzLoudnessMeter(f *testing.F) {
	packets := opusFile(f, "speech-loud.ogg")
	for i := 0; i < len(packets); i += 20 {
		f.Add(packets[i], packets[0])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		m := NewMeter()
		for _, p := range [][]byte{first, second, first} {
			require.LessOrEqual(t, m.Measure(p), fanout.Silence)
		}
		require.LessOrEqual(t, m.Measure(packets[0]), fanout.Silence)
	})
}

func BenchmarkLoudnessMeter(b *testing.B) {
	packets := opusFile(b, "speech-loud.ogg")
	m := NewMeter()
	b.ReportAllocs()
	for i := range b.N {
		m.Measure(packets[i%len(packets)])
	}
}
