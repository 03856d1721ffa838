package score

import (
	"fmt"

	"github.com/thesyncim/gopus"
)

// longest is how many samples a packet of Opus can hold: 120 ms.
const longest = SampleRate * 120 / 1000

// A Decoder decodes one stream of Opus packets into samples of [SampleRate]. It is for one
// goroutine at a time.
type Decoder struct {
	opus  *gopus.Decoder
	space [longest]float32
	sound [longest]float64 // what was decoded last
}

// NewDecoder makes a decoder that has decoded nothing.
func NewDecoder() (*Decoder, error) {
	opus, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(SampleRate, 1))
	if err != nil {
		return nil, fmt.Errorf("make an Opus decoder: %w", err)
	}
	return &Decoder{opus: opus}, nil
}

// Frame is the sound of a packet of 20 ms, until the next call. What can't be decoded is
// made up for.
func (d *Decoder) Frame(payload []byte) []float64 {
	if sound := d.packet(payload); len(sound) == frameSamples {
		return sound
	}
	return d.conceal(frameSamples)
}

// packet is the sound of a packet: nothing if it can't be decoded.
func (d *Decoder) packet(payload []byte) []float64 {
	if len(payload) == 0 {
		return nil
	}
	return d.result(d.opus.Decode(payload, d.space[:]))
}

// copied is the sound of the frame before a packet, of which that holds a copy.
func (d *Decoder) copied(payload []byte) []float64 {
	return d.result(d.opus.DecodeWithFEC(payload, d.space[:frameSamples], true))
}

// conceal is made-up sound, as a decoder makes it for what is missing: silence if it can't.
func (d *Decoder) conceal(samples int) []float64 {
	sound := d.result(d.opus.Decode(nil, d.space[:samples]))
	clear(d.sound[len(sound):samples])
	return d.sound[:samples]
}

func (d *Decoder) result(n int, err error) []float64 {
	if err != nil {
		n = 0
	}
	for i, v := range d.space[:n] {
		d.sound[i] = float64(v)
	}
	return d.sound[:n]
}
