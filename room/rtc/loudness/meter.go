package loudness

import (
	"math"

	"github.com/pion/opus"

	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// meterRate is the rate, in Hz, at which packets are decoded to be
	// measured: speech is loud below 8 kHz.
	meterRate = 16000
	// maxPacket is the longest Opus packet, 120 ms (RFC 6716, section 2), in
	// samples at meterRate.
	maxPacket = meterRate * 120 / 1000
	// voiceLevel is the level, in -dBov, below which a measured packet counts
	// as speech.
	voiceLevel = 60
)

// A Meter measures the loudness of packets by decoding them in order. It belongs to
// one goroutine.
type Meter struct {
	decoder opus.Decoder
	broken  bool
	samples [maxPacket]float32
}

// NewMeter makes one for the packets of one stream.
func NewMeter() *Meter {
	m := &Meter{}
	m.reset()
	return m
}

func (m *Meter) reset() {
	decoder, err := opus.NewDecoderWithOutput(meterRate, 1)
	m.decoder, m.broken = decoder, err != nil
}

// Measure returns the loudness of a packet in -dBov (RFC 6464): the root mean square
// of its samples against the largest that a sample can be, rounded. Silence and
// what can't be decoded are 127.
func (m *Meter) Measure(packet []byte) (level uint8) {
	if m.broken {
		return fanout.Silence
	}
	// A packet from the network must not bring the process down, whatever a
	// decoder makes of it.
	defer func() {
		if recover() != nil {
			m.reset()
			level = fanout.Silence
		}
	}()
	n, err := m.decoder.DecodeToFloat32(packet, m.samples[:])
	if err != nil || n <= 0 {
		return fanout.Silence
	}
	return dbov(m.samples[:min(n, maxPacket)])
}

// dbov is the level of samples between -1 and 1, in -dBov.
func dbov(samples []float32) uint8 {
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	rms := math.Sqrt(sum / float64(len(samples)))
	level := math.Round(-20 * math.Log10(rms))
	switch {
	case math.IsNaN(level) || level > float64(fanout.Silence):
		return fanout.Silence
	case level < 0:
		return 0
	}
	return uint8(level)
}
