package speech

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/thesyncim/gopus"
)

// wavFile is a WAV file of some format.
func wavFile(kind, channels, rate, bits int, data []byte) []byte {
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	b.WriteString("RIFF")
	write(uint32(36 + len(data)))
	b.WriteString("WAVELIST")
	write(uint32(3))
	b.WriteString("odd\x00fmt ")
	write(uint32(16))
	write([]uint16{uint16(kind), uint16(channels)})
	write([]uint32{uint32(rate), uint32(rate * channels * bits / 8)})
	write([]uint16{uint16(channels * bits / 8), uint16(bits)})
	b.WriteString("data")
	write(uint32(len(data)))
	b.Write(data)
	return b.Bytes()
}

// tone is a second of a sine of so many Hz, in each channel.
func tone(hertz float64, kind, channels, rate, bits int) []byte {
	var b bytes.Buffer
	for i := range rate {
		v := 0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate))
		for range channels {
			switch {
			case kind == wavFloat && bits == 64:
				_ = binary.Write(&b, binary.LittleEndian, v)
			case kind == wavFloat:
				_ = binary.Write(&b, binary.LittleEndian, float32(v))
			case bits == 8:
				b.WriteByte(byte(128 + 127*v))
			default:
				whole := uint32(int32(v * (1<<31 - 1)))
				for k := 4 - bits/8; k < 4; k++ {
					b.WriteByte(byte(whole >> (8 * k)))
				}
			}
		}
	}
	return b.Bytes()
}

// strength is how much of a tone is in samples: its amplitude.
func strength(samples []float32, hertz float64) float64 {
	var a, b float64
	for i, v := range samples {
		sin, cos := math.Sincos(2 * math.Pi * hertz * float64(i) / encodeRate)
		a, b = a+float64(v)*sin, b+float64(v)*cos
	}
	return 2 * math.Hypot(a, b) / float64(len(samples))
}

func TestWAVOfEachFormat(t *testing.T) {
	for _, c := range []struct {
		name                       string
		kind, channels, rate, bits int
	}{
		{"16 bit, mono, of a CD's rate", wavPCM, 1, 44_100, 16},
		{"16 bit, stereo", wavPCM, 2, 48_000, 16},
		{"8 bit of a telephone", wavPCM, 1, 8_000, 8},
		{"24 bit of a studio", wavPCM, 2, 96_000, 24},
		{"32 bit", wavPCM, 1, 16_000, 32},
		{"floating point", wavFloat, 1, 22_050, 32},
		{"double precision in five channels", wavFloat, 5, 32_000, 64},
		{"a rate that nothing divides", wavPCM, 1, 44_101, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := wavFile(c.kind, c.channels, c.rate, c.bits, tone(1000, c.kind, c.channels, c.rate, c.bits))
			samples, rate, err := readWAV(bytes.NewReader(file))
			require.NoError(t, err)
			require.Equal(t, c.rate, rate)
			even := resample(samples, rate)
			assert.InDelta(t, encodeRate, len(even), 1)
			assert.InDelta(t, 0.5, strength(even, 1000), 0.01)

			clip, err := Parse("tone.wav", bytes.NewReader(file))
			require.NoError(t, err)
			assert.Len(t, clip.Frames, 50)
			assert.Zero(t, clip.Undecoded)
			assert.InDelta(t, 9, clip.Frames[25].Level, 2, "half of full scale is -9 dBov")
			decoder, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(encodeRate, 1))
			require.NoError(t, err)
			var heard []float32
			for _, f := range clip.Frames {
				one := make([]float32, samplesPerFrame)
				_, err := decoder.Decode(f.Payload, one)
				require.NoError(t, err)
				heard = append(heard, one...)
			}
			assert.Greater(t, strength(heard[encodeRate/2:], 1000), 0.3, "it is what is heard")
			again, err := Parse("tone.wav", bytes.NewReader(file))
			require.NoError(t, err)
			assert.Equal(t, clip, again, "workers encode it on their own, and must come to the same")
		})
	}
}

func TestResamplingLetsNothingFoldBack(t *testing.T) {
	samples, rate, err := readWAV(bytes.NewReader(wavFile(wavPCM, 1, 96_000, 16, tone(40_000, wavPCM, 1, 96_000, 16))))
	require.NoError(t, err)
	assert.Less(t, strength(resample(samples, rate), 8_000), 0.005, "40 kHz would be 8 kHz")
}

func TestWAVThatCannotBeRead(t *testing.T) {
	good := wavFile(wavPCM, 1, 8_000, 16, make([]byte, 1600))
	for _, c := range []struct {
		name string
		file []byte
		says string
	}{
		{"another RIFF file", []byte("RIFF\x04\x00\x00\x00AVI "), "no WAV file"},
		{"ADPCM within", wavFile(2, 1, 44_100, 4, make([]byte, 100)), "holds ADPCM, not samples: make one with ffmpeg -i "},
		{"a format that nobody knows", wavFile(4711, 1, 44_100, 16, make([]byte, 100)), "format 4711 with 16 bits"},
		{"no channels", wavFile(wavPCM, 0, 44_100, 16, make([]byte, 100)), "of 0 channels"},
		{"too low a rate", wavFile(wavPCM, 1, 100, 16, make([]byte, 100)), "of 100 samples a second"},
		{"no samples", wavFile(wavPCM, 1, 44_100, 16, nil), "no audio"},
		{"a cut", good[:len(good)-400], "cut short: it has 1200 bytes of 1600"},
		{"the head alone", good[:48], "without samples"},
		{"samples before their format", append([]byte("RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00"), 1, 2), "before their format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "talk.wav")
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			assert.ErrorContains(t, Check(path), c.says)
			_, err := Load(path)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestTheLineThatConvertsHasTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's mine.m4a")
	require.NoError(t, os.WriteFile(path, []byte("\x00\x00\x00\x20ftypM4A and so on and so on"), 0o600))
	quoted := "'" + filepath.Dir(path) + `/it'\''s mine.m4a'`
	assert.ErrorContains(t, Check(path), "it is an MP4 file, not Ogg Opus: make one with ffmpeg -i "+quoted+` -vn -ac 1 -c:a libopus -b:a 24k -frame_duration 20 'it'\''s mine-20ms.ogg'`)
}

func FuzzReadWAV(f *testing.F) {
	f.Add(wavFile(wavPCM, 2, 44_100, 24, make([]byte, 60)))
	f.Add(wavFile(wavFloat, 1, 8_000, 32, []byte{0, 0, 192, 127, 0, 0, 128, 127}))
	f.Fuzz(func(t *testing.T, file []byte) {
		samples, rate, err := readWAV(bytes.NewReader(file))
		if err != nil {
			return
		}
		assert.NotEmpty(t, samples)
		assert.GreaterOrEqual(t, rate, minWAVRate)
		for _, v := range samples {
			assert.True(t, v >= -1 && v <= 1)
		}
	})
}
