package faults

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/thesyncim/gopus"
)

const (
	// mixRate is the sample rate of a mix, in Hz, mixFrame how many samples 20 ms are, and
	// mixBits its bit rate.
	mixRate  = 48_000
	mixFrame = mixRate / 50
	mixBits  = 16_000
	// buffered is how many frames of a speaker wait before they are mixed, and mostBuffered
	// how many at most.
	buffered, mostBuffered = 2, 10
)

// A mixer sums up what the speakers of a room say, as a conference bridge does. It is safe
// for concurrent use, and ends with its server.
type mixer struct {
	server *Server
	room   string

	mu      sync.Mutex
	inputs  map[uint32]*mixerInput // by SSRC
	encoder *gopus.Encoder
	random  *rand.Rand
}

// A mixerInput is one speaker's.
type mixerInput struct {
	decoder *gopus.Decoder
	frames  [][]float32
	playing bool
}

// mix gives a packet to the mixer of its room.
func (s *Server) mix(room string, p *rtp.Packet) {
	s.mu.Lock()
	m := s.mixers[room]
	if m == nil {
		encoder, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: mixRate, Channels: 1, Application: gopus.ApplicationVoIP})
		if err != nil || encoder.SetBitrate(mixBits) != nil {
			s.mu.Unlock()
			return
		}
		m = &mixer{server: s, room: room, inputs: map[uint32]*mixerInput{}, encoder: encoder, random: rand.New(rand.NewPCG(1, 2))}
		s.mixers[room] = m
		s.work.Go(m.run)
	}
	s.mu.Unlock()
	m.enter(p)
}

// enter decodes a packet, or makes up for it.
func (m *mixer) enter(p *rtp.Packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.inputs[p.SSRC]
	if in == nil {
		decoder, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(mixRate, 1))
		if err != nil {
			return
		}
		in = &mixerInput{decoder: decoder}
		m.inputs[p.SSRC] = in
	}
	payload, samples := p.Payload, make([]float32, 6*mixFrame)
	if m.random.Float64() < m.server.fault.deaf {
		payload, samples = nil, samples[:mixFrame]
	}
	n, err := in.decoder.Decode(payload, samples)
	if err != nil || n != mixFrame || len(in.frames) == mostBuffered {
		return
	}
	in.frames = append(in.frames, samples[:mixFrame])
}

// run sends a mix every 20 ms until the server ends.
func (m *mixer) run() {
	next := time.Now()
	header := rtp.Header{Version: 2}
	for {
		next = next.Add(frame)
		select {
		case <-m.server.closed:
			return
		case <-time.After(time.Until(next)):
		}
		payload := m.sum()
		if payload == nil {
			return
		}
		header.SequenceNumber++
		header.Timestamp += mixFrame
		m.server.pass(m.room, &rtp.Packet{Header: header, Payload: payload})
	}
}

// sum takes a frame of each speaker and encodes the sum.
func (m *mixer) sum() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	mix := make([]float32, mixFrame)
	for _, in := range m.inputs {
		if in.playing = len(in.frames) > 0 && (in.playing || len(in.frames) >= buffered); !in.playing {
			continue
		}
		for i, v := range in.frames[0] {
			mix[i] += 0.7 * v
		}
		in.frames = in.frames[1:]
	}
	payload := make([]byte, 1500)
	n, err := m.encoder.Encode(mix, payload)
	if err != nil {
		return nil
	}
	return payload[:n]
}
