package speech

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/pion/opus"
)

// Silent is the level of digital silence, and the quietest that the header
// extension of RFC 6464 can express: -127 dBov.
const Silent = 127

const (
	// voiceRange is how far below a clip's loudest frame a frame still counts
	// as voice, in dB: what is quieter are pauses and breath.
	voiceRange = 30
	// voiceFloor is the level at which nothing is voice, in -dBov.
	voiceFloor = 70
)

// A measurement is what decoding a recording has found: the level of each frame, and how many of
// them the decoder did not understand.
type measurement struct {
	levels    []uint8
	undecoded int
}

// measured has the measurements of the recordings that were played last, by the digest of their
// packets. To decode a minute takes a second, and a run that is repeated, or a search for the largest
// load, plays the same ones each time.
var measured = struct {
	sync.Mutex
	by map[[sha256.Size]byte]measurement
}{by: map[[sha256.Size]byte]measurement{}}

// maxMeasured is how many recordings are kept, more than a scenario has.
const maxMeasured = 64

// measure sets the frames' levels and their voice flags. undecoded is how many frames could not be
// decoded.
func measure(frames []Frame) (undecoded int, err error) {
	key := digest(frames)
	measured.Lock()
	m, known := measured.by[key]
	measured.Unlock()
	if !known {
		if m, err = decodeLevels(frames); err != nil {
			return 0, err
		}
		measured.Lock()
		if len(measured.by) >= maxMeasured {
			clear(measured.by)
		}
		measured.by[key] = m
		measured.Unlock()
	}
	loudest := slices.Min(append([]uint8{Silent}, m.levels...))
	for i := range frames {
		frames[i].Level = m.levels[i]
		frames[i].Voice = frames[i].Level <= min(loudest+voiceRange, voiceFloor)
	}
	return m.undecoded, nil
}

// digest is of the payloads and of where each ends.
func digest(frames []Frame) (sum [sha256.Size]byte) {
	h := sha256.New()
	var length [8]byte
	for _, f := range frames {
		binary.BigEndian.PutUint64(length[:], uint64(len(f.Payload)))
		h.Write(length[:])
		h.Write(f.Payload)
	}
	h.Sum(sum[:0])
	return sum
}

// decodeLevels decodes frames in order. A frame that the decoder does not understand is given the
// level of the one before it, which is what a receiver would conceal it with.
func decodeLevels(frames []Frame) (m measurement, err error) {
	// Stereo, so that both channels of a stereo frame count; mono comes out
	// twice and keeps its level.
	decoder, err := opus.NewDecoderWithOutput(48_000, 2)
	if err != nil {
		return m, err
	}
	samples := make([]float32, 2*samplesPerFrame)
	last := uint8(Silent)
	m.levels = make([]uint8, len(frames))
	for i, f := range frames {
		if isDTX(f.Payload) {
			last = Silent
		} else if n, err := decoder.DecodeToFloat32(f.Payload, samples); err == nil {
			last = level(samples[:2*n])
		} else {
			m.undecoded++
		}
		m.levels[i] = last
	}
	return m, nil
}

// level is the root mean square of samples in -dBov (RFC 6464, section 3): 0 is that of
// the loudest square wave, 127 that of silence.
func level(samples []float32) uint8 {
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	if len(samples) == 0 || !(sum > 0) {
		return Silent
	}
	rms := math.Sqrt(sum / float64(len(samples)))
	return uint8(math.Round(min(max(-20*math.Log10(rms), 0), Silent)))
}
