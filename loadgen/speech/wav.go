package speech

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The formats of samples in a WAV file (RFC 2361, appendix A, and Microsoft's
// WAVE_FORMAT_EXTENSIBLE).
const (
	wavPCM        = 1
	wavFloat      = 3
	wavMP3        = 85
	wavExtensible = 0xfffe
)

// A wavFormat is what a WAV file's samples are.
type wavFormat struct {
	kind, channels, bits int
	rate                 int // samples a second
}

// wavKinds names formats that are found in WAV files and can't be read here.
var wavKinds = map[int]string{2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 49: "GSM", 80: "MPEG", 255: "AAC", 0x2000: "AC-3"}

const (
	minWAVRate, maxWAVRate = 4_000, 192_000
	maxWAVChannels         = 8
	// chunkLength is a chunk's head: its name, and its length in bytes.
	chunkLength = 8
)

// readWAV reads a WAV file, whose first four bytes are RIFF, and returns its samples from -1
// to 1, all channels in one, and how many there are a second.
func readWAV(r io.Reader) (samples []float32, rate int, err error) {
	all, err := io.ReadAll(r)
	switch {
	case err != nil:
		return nil, 0, err
	case len(all) < 12 || string(all[8:12]) != "WAVE":
		return nil, 0, &formatError{what: "it is a RIFF file, but no WAV file"}
	}
	var format *wavFormat
	for rest := all[12:]; len(rest) >= chunkLength; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[chunkLength:]
		body := rest[:min(size, int64(len(rest)))]
		switch name {
		case "fmt ":
			if format, err = readWAVFormat(body); err != nil {
				return nil, 0, err
			}
		case "data":
			unknown := size == math.MaxUint32 || size == 0 // of who wrote it to a pipe
			if unknown {
				body = rest
			}
			switch {
			case format == nil:
				return nil, 0, errors.New("its samples come before their format")
			case int64(len(body)) < size && !unknown:
				return nil, 0, fmt.Errorf("it is cut short: it has %d bytes of %d of its samples", len(body), size)
			case format.kind == wavMP3:
				within, err := readMP3(body)
				if err != nil {
					return nil, 0, err
				}
				return within.samples()
			}
			samples = format.samples(body)
			if len(samples) == 0 {
				return nil, 0, errors.New("it has no audio")
			}
			return samples, format.rate, nil
		}
		rest = rest[min(size+size%2, int64(len(rest))):] // chunks begin at even places
	}
	return nil, 0, errors.New("it is a WAV file without samples")
}

func readWAVFormat(body []byte) (*wavFormat, error) {
	if len(body) < 16 {
		return nil, errors.New("it is a WAV file whose format is cut short")
	}
	f := &wavFormat{
		kind: int(binary.LittleEndian.Uint16(body)), channels: int(binary.LittleEndian.Uint16(body[2:])),
		rate: int(binary.LittleEndian.Uint32(body[4:])), bits: int(binary.LittleEndian.Uint16(body[14:])),
	}
	if f.kind == wavExtensible && len(body) >= 26 {
		f.kind = int(binary.LittleEndian.Uint16(body[24:]))
	}
	known := f.kind == wavMP3 || f.kind == wavPCM && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32) ||
		f.kind == wavFloat && (f.bits == 32 || f.bits == 64)
	switch {
	case !known && wavKinds[f.kind] != "":
		return nil, &formatError{what: fmt.Sprintf("it is a WAV file that holds %s, not samples", wavKinds[f.kind])}
	case !known:
		return nil, &formatError{what: fmt.Sprintf("it is a WAV file of format %d with %d bits a sample", f.kind, f.bits)}
	case f.channels < 1 || f.channels > maxWAVChannels:
		return nil, fmt.Errorf("it is a WAV file of %d channels, and can have 1 to %d", f.channels, maxWAVChannels)
	case f.rate < minWAVRate || f.rate > maxWAVRate:
		return nil, fmt.Errorf("it is a WAV file of %d samples a second, and can have %d to %d", f.rate, minWAVRate, maxWAVRate)
	}
	return f, nil
}

// samples are the averages of the channels. A last sample that is not whole is left out.
func (f *wavFormat) samples(body []byte) []float32 {
	width := f.bits / 8
	all := make([]float32, len(body)/(width*f.channels))
	for i := range all {
		var sum float64
		for range f.channels {
			sum += f.sample(body)
			body = body[width:]
		}
		all[i] = float32(sum / float64(f.channels))
	}
	return all
}

// sample is the first sample of body.
func (f *wavFormat) sample(body []byte) float64 {
	switch {
	case f.kind == wavFloat && f.bits == 64:
		return within(math.Float64frombits(binary.LittleEndian.Uint64(body)))
	case f.kind == wavFloat:
		return within(float64(math.Float32frombits(binary.LittleEndian.Uint32(body))))
	case f.bits == 8:
		return (float64(body[0]) - 128) / 128
	case f.bits == 16:
		return float64(int16(binary.LittleEndian.Uint16(body))) / (1 << 15)
	case f.bits == 24:
		return float64(int32(uint32(body[0])<<8|uint32(body[1])<<16|uint32(body[2])<<24)) / (1 << 31)
	default:
		return float64(int32(binary.LittleEndian.Uint32(body))) / (1 << 31)
	}
}

// within is a sample from -1 to 1; one that is no number is silence.
func within(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, -1), 1)
}
