package speech

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/scenarios"
)

// maxFile bounds the size of a file: an hour and a half at 96 kbit/s.
const maxFile = 64 << 20

// A Frame is one Opus packet of 20 ms.
type Frame struct {
	// Payload is the packet as it goes into RTP.
	Payload []byte
	// Level is its loudness in -dBov from 0, the loudest, to 127, silence
	// (RFC 6464), and Voice reports whether somebody speaks in it.
	Level uint8
	Voice bool
	// FEC reports whether the packet holds a copy of the frame before it.
	FEC bool
	// Pause reports whether the packet is not sent: it says once more that there is nothing
	// to say (DTX), which the one before has said.
	Pause bool
	// Hash is the FNV-1a hash of the payload.
	Hash uint64
}

// A Clip is a recording in frames of 20 ms. It is not changed once it is made,
// and so is safe for concurrent use.
type Clip struct {
	// Name is the file's base name.
	Name   string
	Frames []Frame
	// Undecoded is how many frames could not be decoded; each has the level of
	// the frame before it.
	Undecoded int
}

// BuiltIn begins the path of a recording that comes with earshot, such as
// "builtin:speech".
const BuiltIn = "builtin:"

// Load reads an Ogg Opus, WAV, FLAC or MP3 file, or a recording that comes with earshot (see [BuiltIn]). What is
// not in packets of 20 ms yet is encoded in such. Its errors name the file, what is wrong with it and,
// where that helps, how to make a better one.
func Load(path string) (*Clip, error) {
	var clip *Clip
	name := filepath.Base(path)
	if own, ok := strings.CutPrefix(path, BuiltIn); ok {
		name = own + ".ogg"
	}
	err := open(path, func(f io.Reader) (err error) {
		clip, err = Parse(name, f)
		return err
	})
	return clip, err
}

// Check returns the error that [Load] would, except for one of encoding, or of decoding more than
// the first second, which take most of Load's time.
func Check(path string) error {
	_, err := Length(path)
	return err
}

// Length is how long a recording is. Its errors are those of [Check].
func Length(path string) (length time.Duration, err error) {
	err = open(path, func(f io.Reader) error {
		a, err := read(f)
		if err == nil {
			length = a.length()
		}
		return err
	})
	return length, err
}

// open has a file read and names it in any error.
func open(path string, read func(io.Reader) error) error {
	if own, ok := strings.CutPrefix(path, BuiltIn); ok {
		data, err := scenarios.Recording(own)
		if err != nil {
			return err
		}
		return read(bytes.NewReader(data))
	}
	// Before it is opened: to open a pipe would wait for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open audio: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("audio %s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open audio: %w", err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		var format *formatError
		if errors.As(err, &format) {
			format.path = path
		}
		return fmt.Errorf("audio %s: %w", path, err)
	}
	return nil
}

var errTooLarge = fmt.Errorf("it is larger than %d MiB", maxFile>>20)

// Parse reads what [Load] does from r, for a clip of the given name.
func Parse(name string, r io.Reader) (*Clip, error) {
	a, err := read(r)
	if err != nil {
		return nil, err
	}
	packets, err := a.frames()
	if err != nil {
		return nil, err
	}
	c, err := NewClip(name, packets)
	if err == nil && c.Undecoded == len(c.Frames) {
		return nil, fmt.Errorf("none of its %d packets can be decoded", len(c.Frames))
	}
	return c, err
}

// audio is what a file holds: Opus packets, samples of a rate, or what is decoded to such.
type audio struct {
	packets    [][]byte
	samples    []float32
	rate       int
	compressed *compressed
}

// length is how long it is.
func (a audio) length() time.Duration {
	if a.rate > 0 {
		return time.Duration(len(a.samples)) * time.Second / time.Duration(a.rate)
	}
	return time.Duration(len(a.packets)) * FrameLength
}

// read reads a file, without encoding it, and without decoding more than its beginning.
func read(r io.Reader) (a audio, err error) {
	buffered := bufio.NewReader(r)
	begin, _ := buffered.Peek(4) // what is wrong with it will be seen below
	limited := &io.LimitedReader{R: buffered, N: maxFile + 1}
	switch {
	case string(begin) == "RIFF":
		a.samples, a.rate, err = readWAV(limited)
	case string(begin) == "OggS":
		a.packets, err = readPackets(limited)
	default:
		var all []byte
		if all, err = io.ReadAll(limited); err == nil {
			a.compressed, err = readCompressed(all)
		}
		if a.compressed != nil {
			err = a.compressed.check()
		}
		if err == nil && a.compressed == nil {
			a.packets, err = readPackets(bytes.NewReader(all)) // says what it is
		}
	}
	if limited.N <= 0 {
		return audio{}, errTooLarge
	}
	return a, err
}

// frames are packets of 20 ms each.
func (a audio) frames() ([][]byte, error) {
	if a.compressed != nil {
		samples, rate, err := a.compressed.samples()
		if err != nil {
			return nil, err
		}
		return encode(samples, rate)
	}
	if a.samples != nil {
		return encode(a.samples, a.rate)
	}
	for _, p := range a.packets {
		if checkDuration(p) != nil {
			samples, err := decode(a.packets)
			if err != nil {
				return nil, err
			}
			return encode(samples, encodeRate)
		}
	}
	return a.packets, nil
}

// NewClip makes a clip of Opus packets, each 20 ms long, and keeps them.
func NewClip(name string, packets [][]byte) (*Clip, error) {
	if len(packets) == 0 {
		return nil, errors.New("it has no audio")
	}
	c := &Clip{Name: name, Frames: make([]Frame, len(packets))}
	for i, p := range packets {
		if err := checkDuration(p); err != nil {
			return nil, fmt.Errorf("audio packet %d %w", i, err)
		}
		h := fnv.New64a()
		h.Write(p)
		c.Frames[i] = Frame{Payload: p, Hash: h.Sum64(), FEC: HasFEC(p), Pause: i > 0 && isDTX(p) && isDTX(packets[i-1])}
	}
	undecoded, err := measure(c.Frames)
	if err != nil {
		return nil, err
	}
	c.Undecoded = undecoded
	return c, nil
}

// Duration is the clip's length.
func (c *Clip) Duration() time.Duration { return time.Duration(len(c.Frames)) * FrameLength }

// Pauses reports whether anything of it is not sent.
func (c *Clip) Pauses() bool {
	return slices.ContainsFunc(c.Frames, func(f Frame) bool { return f.Pause })
}

// Index maps a payload's hash to the positions of all frames that have it, in
// order. The caller owns it.
func (c *Clip) Index() map[uint64][]int {
	index := make(map[uint64][]int, len(c.Frames))
	for i, f := range c.Frames {
		index[f.Hash] = append(index[f.Hash], i)
	}
	return index
}

// Unique is the share of frames, from 0 to 1, whose payload occurs only once.
func (c *Clip) Unique() float64 {
	seen := make(map[string]int, len(c.Frames))
	for _, f := range c.Frames {
		seen[string(f.Payload)]++
	}
	once := 0
	for _, n := range seen {
		if n == 1 {
			once++
		}
	}
	return float64(once) / float64(max(len(c.Frames), 1))
}
