package speech

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files of testdata have a second of a tone of 1 kHz, as flac and lame encode it.
func TestCompressedFilesAreEncoded(t *testing.T) {
	stored := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		return data
	}
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"FLAC of 44.1 kHz, stereo", stored("tone-44100-stereo.flac")},
		{"FLAC of 16 kHz and 24 bits", stored("tone-16000-24bit.flac")},
		{"FLAC after an ID3 tag", append([]byte("ID3\x04\x00\x00\x00\x00\x00\x04abcd"), stored("tone-16000-24bit.flac")...)},
		{"MP3 of 44.1 kHz with a varying rate and tags", stored("tone-44100-id3.mp3")},
		{"MP3 of 24 kHz, mono", stored("tone-24000-mono.mp3")},
		{"MP3 of 48 kHz with a tag at its end", append(stored("tone-48000-mono.mp3"), append([]byte("TAG"), make([]byte, 125)...)...)},
		{"MP3 in a WAV file", wavFile(wavMP3, 1, 48_000, 0, stored("tone-48000-mono.mp3"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			clip, err := Parse("tone", bytes.NewReader(c.file))
			require.NoError(t, err)
			assert.InDelta(t, time.Second, clip.Duration(), float64(150*time.Millisecond), "with the silence that encoders add")
			var payloads [][]byte
			for _, f := range clip.Frames {
				payloads = append(payloads, f.Payload)
			}
			heard, err := decode(payloads)
			require.NoError(t, err)
			assert.Greater(t, strength(heard[encodeRate/4:encodeRate*3/4], 1000), 0.3, "it is what is heard")
			again, err := Parse("tone", bytes.NewReader(c.file))
			require.NoError(t, err)
			assert.Equal(t, clip, again, "workers encode it on their own, and must come to the same")
		})
	}
}

func TestCompressedFilesThatCannotBeRead(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "tone-44100-stereo.flac"))
	require.NoError(t, err)
	low, err := os.ReadFile(filepath.Join("testdata", "tone-22050-mono.mp3"))
	require.NoError(t, err)
	broken := bytes.Clone(whole)
	broken[len(broken)/2] ^= 0xff
	for _, c := range []struct {
		name string
		file []byte
		says string
	}{
		{"FLAC's name alone", []byte("fLaC"), "it is a FLAC file that can't be read"},
		{"FLAC that is cut", whole[:len(whole)/2], "it is a FLAC file that can't be read"},
		{"FLAC that was changed", broken, "FLAC file"},
		{"an MP3 frame's head alone", []byte{0xff, 0xfb, 0x90, 0x00}, "it is an MP3 file that can't be read"},
		{"MP3 that would be noise", low, "it is an MP3 file at 22.05 kHz or below 16 kHz, which is not decoded here: make one with ffmpeg"},
		{"the same in a WAV file", wavFile(wavMP3, 1, 22_050, 0, low), "it is an MP3 file at 22.05 kHz or below 16 kHz, which is not decoded here: make one with ffmpeg"},
		{"a tag alone", []byte("ID3\x04\x00\x00\x00\x00\x00\x04abcd"), "it is none of Ogg Opus, WAV, FLAC and MP3: make one with ffmpeg"},
		{"AAC", []byte("\xff\xf1\x50\x80 and so on and so on and so on"), "it is an AAC file, not Ogg Opus: make one with ffmpeg"},
		{"MPEG audio of layer II", []byte("\xff\xfd\x90\x00 and so on and so on and so on"), "of layer I or II, not Ogg Opus"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("x", bytes.NewReader(c.file))
			assert.ErrorContains(t, err, c.says)
			path := filepath.Join(t.TempDir(), "x")
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			assert.ErrorContains(t, Check(path), c.says, "and a check says so before a run")
		})
	}
}

func TestCheckDecodesNoMoreThanTheBeginning(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "tone-48000-mono.mp3"))
	require.NoError(t, err)
	many := bytes.Repeat(data, 10*int(beginning/time.Second)) // frames of MP3 can be strung together
	path := filepath.Join(t.TempDir(), "long.mp3")
	require.NoError(t, os.WriteFile(path, many, 0o600))
	require.NoError(t, Check(path))
	c, err := readCompressed(many)
	require.NoError(t, err)
	_, _, err = c.decoded(beginning)
	assert.ErrorContains(t, err, "it is longer than 1s", "it is more than what a check decodes")
}

// A file of a few bytes can stand for hours of silence.
func TestCompressedFilesAreBounded(t *testing.T) {
	for name, decode := range map[string]func([]byte, limiter) ([]float32, int, error){"tone-16000-24bit.flac": decodeFLAC, "tone-48000-mono.mp3": decodeMP3} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		_, _, err = decode(data, limiter{100 * time.Millisecond})
		assert.ErrorContains(t, err, "it is longer than 100ms", name)
	}
}

func FuzzReadCompressed(f *testing.F) {
	for _, name := range []string{"tone-16000-24bit.flac", "tone-24000-mono.mp3"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(data[:min(len(data), 2000)])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := readCompressed(file)
		if err != nil || c == nil {
			return
		}
		samples, rate, err := c.samples()
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
