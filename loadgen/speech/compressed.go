package speech

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/hajimehoshi/go-mp3"
	"github.com/mewkiz/flac"
)

// maxLength bounds what is decoded of a file: a few bytes can stand for minutes of silence.
const maxLength = 90 * time.Minute

// A compressed file is one that is decoded to samples.
type compressed struct {
	what   string // it is
	data   []byte
	decode func(data []byte, limit limiter) (samples []float32, rate int, err error)
}

// readCompressed finds out the format of a file by what is in it, after any ID3 tag; it is nil
// if that is none of those that are decoded here.
func readCompressed(data []byte) (*compressed, error) {
	begin := afterID3(data)
	if bytes.HasPrefix(begin, []byte("fLaC")) {
		return &compressed{"a FLAC file", begin, decodeFLAC}, nil
	}
	// A frame's sync, and layer III (ISO 11172-3, section 2.4.1.3).
	if len(begin) > 3 && begin[0] == 0xff && begin[1]&0xe6 == 0xe2 {
		return readMP3(begin)
	}
	return nil, nil
}

// readMP3 reads the first frame's head. Of files at 22.05 kHz the decoder makes noise, at some
// bit rates, and it does not know MPEG 2.5.
func readMP3(data []byte) (*compressed, error) {
	if len(data) > 3 {
		const mpeg2, mpeg25 = 2, 0 // ISO 13818-3; MPEG 2.5 is no standard
		version, rate := data[1]>>3&3, data[2]>>2&3
		if version == mpeg25 || version == mpeg2 && rate == 0 {
			return nil, &formatError{what: "it is an MP3 file at 22.05 kHz or below 16 kHz, which is not decoded here"}
		}
	}
	return &compressed{"an MP3 file", data, decodeMP3}, nil
}

// afterID3 is what follows the ID3 tag at the beginning of a file (ID3v2.4, section 3.1).
func afterID3(data []byte) []byte {
	const head = 10
	if len(data) < head || string(data[:3]) != "ID3" {
		return data
	}
	size := head
	if data[5]&0x10 != 0 {
		size += head // a footer
	}
	for i, b := range data[6:head] {
		size += int(b&0x7f) << (7 * (3 - i))
	}
	return bytes.TrimLeft(data[min(size, len(data)):], "\x00") // some tags are padded
}

// beginning is how much of a file is decoded to see whether it can be.
const beginning = time.Second

// check returns the error of decoding the beginning of the file.
func (c *compressed) check() error {
	_, _, err := c.decoded(beginning)
	if errors.As(err, new(tooLongError)) {
		return nil
	}
	return err
}

// samples decodes the file.
func (c *compressed) samples() (samples []float32, rate int, err error) { return c.decoded(maxLength) }

// decoded decodes a file that is of a length at most.
func (c *compressed) decoded(length time.Duration) (samples []float32, rate int, err error) {
	defer func() {
		if recover() != nil { // the decoders are others' work, and the file may be anybody's
			samples, rate, err = nil, 0, &formatError{what: "it is " + c.what + " that is damaged"}
		}
	}()
	samples, rate, err = c.decode(c.data, limiter{length})
	switch {
	case err != nil:
		return nil, 0, &formatError{what: fmt.Sprintf("it is %s that can't be read (%v)", c.what, err), err: err}
	case len(samples) == 0:
		return nil, 0, errors.New("it has no audio")
	}
	return samples, rate, nil
}

// A limiter bounds what a file decodes to.
type limiter struct{ length time.Duration }

// check returns an error if so many samples of a rate are too many, or the rate is none that
// is read here.
func (l limiter) check(samples, rate int) error {
	switch {
	case rate < minWAVRate || rate > maxWAVRate:
		return fmt.Errorf("it has %d samples a second, and can have %d to %d", rate, minWAVRate, maxWAVRate)
	case float64(samples)/float64(rate) > l.length.Seconds():
		return tooLongError(l.length)
	}
	return nil
}

// A tooLongError is of a file that is longer than this.
type tooLongError time.Duration

func (e tooLongError) Error() string { return fmt.Sprintf("it is longer than %v", time.Duration(e)) }

// decodeFLAC decodes a FLAC file (RFC 9639), all channels in one.
func decodeFLAC(data []byte, limit limiter) (samples []float32, rate int, err error) {
	stream, err := flac.New(bytes.NewReader(data))
	if err != nil {
		return nil, 0, err
	}
	rate = int(stream.Info.SampleRate)
	for {
		if err := limit.check(len(samples), rate); err != nil {
			return nil, 0, err
		}
		f, err := stream.ParseNext()
		if errors.Is(err, io.EOF) {
			if declared := stream.Info.NSamples; declared > uint64(len(samples)) {
				return nil, 0, fmt.Errorf("it is cut short: it has %d samples of %d", len(samples), declared)
			}
			return samples, rate, nil
		}
		if err != nil {
			return nil, 0, err
		}
		full := math.Exp2(float64(f.BitsPerSample) - 1)
		for i := range int(f.BlockSize) {
			var sum float64
			for _, channel := range f.Subframes {
				sum += float64(channel.Samples[i]) / full
			}
			samples = append(samples, float32(within(sum/float64(len(f.Subframes)))))
		}
	}
}

// decodeMP3 decodes an MP3 file, both channels in one.
func decodeMP3(data []byte, limit limiter) (samples []float32, rate int, err error) {
	d, err := mp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(data)}) // it would scan the file first if it could seek
	if err != nil {
		return nil, 0, err
	}
	rate = d.SampleRate()
	const pair = 4 // two samples of 16 bits
	buffer := make([]byte, 4096*pair)
	for {
		if err := limit.check(len(samples), rate); err != nil {
			return nil, 0, err
		}
		n, err := io.ReadFull(d, buffer)
		for b := buffer[:n-n%pair]; len(b) > 0; b = b[pair:] {
			left, right := int16(uint16(b[0])|uint16(b[1])<<8), int16(uint16(b[2])|uint16(b[3])<<8)
			samples = append(samples, (float32(left)+float32(right))/(1<<16))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return samples, rate, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}
