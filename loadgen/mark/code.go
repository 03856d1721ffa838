package mark

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/thesyncim/gopus"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

const (
	// sampleRate is that of marks: what a wideband codec keeps.
	sampleRate = 16_000
	// Hop is how many samples are judged at a time: 20 ms.
	Hop = sampleRate / 50
	// Frames is how many frames of 20 ms a code has before it repeats, which is longer
	// than a packet may be late.
	Frames = 512
	period = Frames * Hop

	// lowest and highest are the ends of the mark's band, in Hz.
	lowest, highest = 250, 3600
	// below is the level of the mark as a share of that of the speech, and floor the
	// lowest level it has, of full scale: -4 dB and -42 dB.
	below, floor = 0.6, 0.008
	// levelTime is over how many samples the speech's level is taken: 30 ms.
	levelTime = 480

	// bitRate is that of marked speech.
	bitRate = 32_000
	// codecDelay is by how many samples decoded speech is later than what was encoded:
	// the look-ahead of Opus (RFC 6716, section 2). It is not the server's.
	codecDelay = 104
	// warmUp is how many frames are encoded before the first that is used, so that it goes
	// on from the last.
	warmUp = 25
)

// A Code is one source's mark.
type Code struct {
	samples []float32 // period, whose mean square is 1
	spectra spectra
}

// NewCode makes the code with a number. Two of them have nothing in common.
func NewCode(number uint64) *Code {
	random := rand.New(rand.NewPCG(0x6d61726b, number))
	filter := bandPass()
	noise := make([]float64, period+len(filter))
	for i := range period {
		noise[i] = float64(1 - 2*int(random.Uint32()&1))
	}
	copy(noise[period:], noise) // it goes on after itself
	c, power := &Code{samples: make([]float32, period)}, 0.0
	for i := range c.samples {
		var v float64
		for j, tap := range filter {
			v += tap * noise[i+j]
		}
		c.samples[i] = float32(v)
		power += v * v
	}
	gain := float32(1 / math.Sqrt(power/period))
	for i := range c.samples {
		c.samples[i] *= gain
	}
	return c
}

// bandPass is a windowed-sinc filter for the mark's band.
func bandPass() []float64 {
	const taps = 129
	filter := make([]float64, taps)
	for i := range filter {
		n := float64(i - taps/2)
		lowPass := func(f float64) float64 {
			if n == 0 {
				return 2 * f / sampleRate
			}
			return math.Sin(2*math.Pi*f/sampleRate*n) / (math.Pi * n)
		}
		filter[i] = (lowPass(highest) - lowPass(lowest)) * (0.54 + 0.46*math.Cos(2*math.Pi*n/taps))
	}
	return filter
}

// at is the sample at a place, which may lie in another period.
func (c *Code) at(i int) float64 { return float64(c.samples[wrap(i)]) }

func wrap(i int) int {
	i %= period
	if i < 0 {
		i += period
	}
	return i
}

// Mark makes a clip of [Frames] frames of a clip's speech from frame first on, with the
// mark in it.
func (c *Code) Mark(clip *speech.Clip, first int) (*speech.Clip, error) {
	if len(clip.Frames) == 0 {
		return nil, errors.New("there is no speech to mark")
	}
	samples, err := decode(clip, first, Frames)
	if err != nil {
		return nil, fmt.Errorf("mark %s: %w", clip.Name, err)
	}
	level := 0.0
	for i := range samples {
		v := float64(samples[i])
		level += (v*v - level) / levelTime
		marked := v + max(math.Sqrt(level)*below, floor)*c.at(i)
		samples[i] = float32(min(max(marked, -1), 1))
	}
	packets, err := encode(samples)
	if err != nil {
		return nil, fmt.Errorf("mark %s: %w", clip.Name, err)
	}
	return speech.NewClip(clip.Name, packets)
}

// decode decodes n frames of a clip from frame first on, which begins anew at its end. A
// frame that can't be decoded is silent.
func decode(clip *speech.Clip, first, n int) ([]float32, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	all, one := make([]float32, 0, n*Hop), make([]float32, longest)
	for i := range n {
		got, err := decoder.Decode(clip.Frames[(first+i)%len(clip.Frames)].Payload, one)
		if err != nil || got != Hop {
			clear(one[:Hop])
		}
		all = append(all, one[:Hop]...)
	}
	return all, nil
}

// encode encodes a period as it goes on after itself.
func encode(samples []float32) (packets [][]byte, err error) {
	encoder, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: sampleRate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, err
	}
	if err := encoder.SetBitrate(bitRate); err != nil {
		return nil, err
	}
	one := make([]byte, 4000)
	for i := -warmUp; i < Frames; i++ {
		from := wrap(i * Hop)
		n, err := encoder.Encode(samples[from:from+Hop], one)
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			packets = append(packets, append([]byte(nil), one[:n]...))
		}
	}
	return packets, nil
}

// longest is how many samples a packet of Opus can hold: 120 ms.
const longest = 6 * Hop

func newDecoder() (*gopus.Decoder, error) {
	return gopus.NewDecoder(gopus.DefaultDecoderConfig(sampleRate, 1))
}
