// Package testaudio gives tests the voices of scenarios/audio. Nothing else
// imports it.
//
// To decode a voice takes seconds under the race detector. So a voice is decoded
// once in a process, and a test that only needs somebody to speak takes a short
// one. All functions are safe for concurrent use; nobody may change what they
// return.
package testaudio

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// ShortDuration is how long the clips of [WriteShort] are at most.
const ShortDuration = 8 * time.Second

// Dir is the folder of the voices, as an absolute path.
func Dir() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "scenarios", "audio")
}

// clips holds a func() (*speech.Clip, error) for each voice that was asked for.
var clips sync.Map

// Clip is a voice from its beginning to its end, such as "speech.ogg".
func Clip(t testing.TB, voice string) *speech.Clip {
	t.Helper()
	load, _ := clips.LoadOrStore(voice, sync.OnceValues(func() (*speech.Clip, error) {
		return speech.Load(filepath.Join(Dir(), voice))
	}))
	clip, err := load.(func() (*speech.Clip, error))()
	require.NoError(t, err)
	return clip
}

// WriteShort writes the beginning of each voice into a folder, under the voice's
// own name.
func WriteShort(t testing.TB, dir string) {
	t.Helper()
	voices, err := filepath.Glob(filepath.Join(Dir(), "*.ogg"))
	require.NoError(t, err)
	require.NotEmpty(t, voices)
	for _, path := range voices {
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), shorten(file), 0o600))
	}
}

// shorten keeps the pages of an Ogg Opus file that end within [ShortDuration],
// and marks the last of them as the end of the stream (RFC 3533, section 6).
func shorten(ogg []byte) []byte {
	const (
		samples     = uint64(ShortDuration / time.Second * 48_000)
		flags       = 5 // offsets in a page's header
		granule     = 6
		checksum    = 22
		segments    = 26
		header      = 27
		endOfStream = 4
	)
	last, end := 0, 0
	for rest := ogg; len(rest) > header && binary.LittleEndian.Uint64(rest[granule:]) <= samples; rest = ogg[end:] {
		last = end
		end += header + int(rest[segments])
		for _, length := range rest[header : header+int(rest[segments])] {
			end += int(length)
		}
	}
	page := ogg[last:end]
	page[flags] |= endOfStream
	binary.LittleEndian.PutUint32(page[checksum:], 0)
	binary.LittleEndian.PutUint32(page[checksum:], oggChecksum(page))
	return ogg[:end]
}

// oggChecksum is the CRC-32 of a page whose own field for it is 0.
func oggChecksum(page []byte) (crc uint32) {
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
