package score

import (
	"math"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/neteq"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

const (
	// tick is how much a jitter buffer plays at a time, 10 ms, and tickSamples the same in
	// samples.
	tick        = 10 * time.Millisecond
	tickSamples = SampleRate / 100
	// frameTicks is RTP's clock, 48 kHz, in a frame.
	frameTicks = 960
	// rtpClock is how many ticks it has in a second.
	rtpClock = 48_000
	// frameSamples is how many samples a frame has: 20 ms.
	frameSamples = SampleRate / 50
	// base is the frame number of what is sent when the run begins, so that none is below 0.
	base = 1 << 20
	// jump is from which step of the time stamps on a stream begins anew, on RTP's clock: 5 s.
	jump = 5 * rtpClock
)

// A Packet is one that a listener received.
type Packet struct {
	Section   int // which of the listener's streams
	Talker    uint32
	Sequence  uint16
	Timestamp uint32
	At        time.Duration // when it came, on the run's clock
	Payload   []byte
}

// Play returns what a listener heard of packets from a time to another: all streams that
// they had, each as its jitter buffer plays it, in the order in which they came. What is to be
// heard begins to be decoded some time before.
func Play(packets []Packet, from, until time.Duration) ([]float64, error) {
	heard := make([]float64, SamplesIn(until-from))
	streams := map[int][]Packet{}
	for _, p := range packets {
		streams[p.Section] = append(streams[p.Section], p)
	}
	for _, stream := range streams {
		p, err := newPlayer(from, heard)
		if err != nil {
			return nil, err
		}
		for _, packet := range stream {
			p.take(packet)
		}
		p.advance(until)
	}
	return heard, nil
}

// SamplesIn is how many samples there are in a time.
func SamplesIn(d time.Duration) int { return int(d * SampleRate / time.Second) }

// A player plays one stream.
type player struct {
	buffer  neteq.Buffer
	decoder *Decoder
	from    time.Duration
	into    []float64

	began     bool
	frame     int64  // that of the latest packet,
	timestamp uint32 // and its time stamp on RTP's clock
	ticks     int64  // played so far, from the beginning of the run
	held      map[int64][]Packet
	due       []int64 // the frames that the buffer decoded or made up for in this tick
	stats     neteq.Stats

	line    line
	surplus int // samples that packets held beyond their frame
}

func newPlayer(from time.Duration, into []float64) (*player, error) {
	decoder, err := NewDecoder()
	if err != nil {
		return nil, err
	}
	p := &player{decoder: decoder, from: from, into: into, held: map[int64][]Packet{}}
	p.buffer.Schedule = p
	p.line.samples = make([]float64, lead)
	return p, nil
}

// Due implements [neteq.Schedule].
func (p *player) Due(frame int64) bool {
	p.due = append(p.due, frame)
	return true
}

// Passed implements [neteq.Schedule].
func (*player) Passed(int64, neteq.Stats) {}

// take enters a packet.
func (p *player) take(packet Packet) {
	frames := p.place(packet)
	p.advance(packet.At)
	for i := range frames {
		n := p.frame + int64(i)
		if i == 0 {
			if slices.ContainsFunc(p.held[n], func(o Packet) bool { return o.Timestamp == packet.Timestamp }) {
				return // it is a copy
			}
			p.held[n] = append(p.held[n], packet)
		}
		p.buffer.Arrive(n, packet.At)
	}
	if speech.HasFEC(packet.Payload) {
		p.buffer.ArriveCopy(p.frame-1, false)
	}
}

// place finds which frame a packet begins with, and how many it holds.
func (p *player) place(packet Packet) (frames int) {
	step := int64(int32(packet.Timestamp - p.timestamp))
	if !p.began || step > jump || step < -jump {
		if !p.began {
			p.began, p.ticks = true, int64(packet.At/tick)
		}
		p.frame, p.timestamp = base+int64(packet.At/neteq.FrameLength), packet.Timestamp
	} else {
		// Within a frame the time stamp stays that of its beginning.
		by := int64(math.Floor(float64(step) / frameTicks))
		p.frame += by
		p.timestamp += uint32(by * frameTicks)
	}
	if d, err := speech.Duration(packet.Payload); err == nil {
		return int(max(1, d/neteq.FrameLength))
	}
	return 1
}

// advance plays up to a moment.
func (p *player) advance(until time.Duration) {
	for ; p.ticks < int64(until/tick); p.ticks++ {
		p.due = p.due[:0]
		p.buffer.Advance(time.Duration(p.ticks+1) * tick)
		p.tick()
	}
}

// tick has the sound of what the buffer just did.
func (p *player) tick() {
	now := p.buffer.Stats()
	was := p.stats
	p.stats = now
	audible := time.Duration(p.ticks)*tick >= p.from-time.Second
	for _, frame := range p.due[:min(len(p.due), int(now.Played-was.Played))] {
		p.decode(frame, now.Copies > was.Copies, audible)
	}
	switch {
	case now.Inserted > was.Inserted:
		p.line.stretch(now.Inserted - was.Inserted)
	case now.Removed > was.Removed:
		p.line.stretch(was.Removed - now.Removed)
	}
	if now.Concealed > was.Concealed {
		p.conceal(tickSamples, audible)
	}
	sound := p.line.pop(tickSamples)
	at := SamplesIn(time.Duration(p.ticks)*tick - p.from)
	for i, v := range sound {
		if at+i >= 0 && at+i < len(p.into) {
			p.into[at+i] += v
		}
	}
}

// decode appends the sound of a frame.
func (p *player) decode(frame int64, copied, audible bool) {
	packets := p.held[frame]
	delete(p.held, frame)
	if !audible {
		p.line.push(make([]float64, frameSamples))
		return
	}
	slices.SortFunc(packets, func(a, b Packet) int { return int(int32(a.Timestamp - b.Timestamp)) })
	got := 0
	for _, packet := range packets {
		sound := p.decoder.packet(packet.Payload)
		p.line.push(sound)
		got += len(sound)
	}
	if next := p.held[frame+1]; copied && got == 0 && len(next) > 0 {
		sound := p.decoder.copied(next[0].Payload)
		p.line.push(sound)
		got += len(sound)
	}
	// A packet may hold more than its frame, and what follows less.
	p.surplus += got - frameSamples
	if p.surplus < 0 {
		p.conceal(-p.surplus, audible)
		p.surplus = 0
	}
}

// conceal appends made-up sound.
func (p *player) conceal(samples int, audible bool) {
	if !audible {
		p.line.push(make([]float64, samples))
		return
	}
	p.line.push(p.decoder.conceal(samples))
}
