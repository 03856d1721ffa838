package score

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// steadyPackets is how many packets a stream has to have, so that the fastest of them says how long a packet is
// under way: more than come in a delay.
const steadyPackets = 50

// modelled is by how much more alike a patch may be than the model has it that plays packets sooner. A jitter buffer that
// has learnt of no delay is less prepared for the server's own, so that less delay is not always better.
const modelled = 0.005

// AtBest is how alike a patch is at best that was played as it came, and as if it had come sooner. The better of both counts:
// which of the delays there were is not known.
func AtBest(came, sooner Patch) float64 {
	return min(1, max(came.Similarity, sooner.Similarity+modelled))
}

// A stream is packets of one talker whose time stamps follow each other.
type stream struct {
	talker    uint32
	timestamp uint32
	media     time.Duration // of the time stamp, from the stream's first
	fastest   time.Duration // of all: when it came, less its media time
	packets   int
}

// Sooner returns packets as they came to a listener, each of them sooner by as much as by says of when it came, but no
// sooner than if it had been under way as long as the fastest of its stream: what delayed them alone is undone, and a
// server's own loss stays. It returns nil if that moves none.
func Sooner(packets []Packet, by func(time.Duration) time.Duration) []Packet {
	type from struct {
		*stream
		media time.Duration
	}
	places, now := make([]from, len(packets)), map[int]*stream{}
	for i, p := range packets {
		s := now[p.Section]
		if s == nil || !s.follows(p) {
			s = &stream{talker: p.Talker, timestamp: p.Timestamp, fastest: math.MaxInt64}
			now[p.Section] = s
		}
		s.media += time.Duration(int32(p.Timestamp-s.timestamp)) * time.Second / rtpClock
		s.timestamp = p.Timestamp
		s.fastest = min(s.fastest, p.At-s.media)
		s.packets++
		places[i] = from{s, s.media}
	}
	moved, sooner := false, slices.Clone(packets)
	for i := range sooner {
		p, s := &sooner[i], places[i]
		at := max(0, p.At-by(p.At))
		if s.packets >= steadyPackets {
			at = max(at, s.fastest+s.media)
		}
		moved = moved || at < p.At
		p.At = min(p.At, at)
	}
	if !moved {
		return nil
	}
	slices.SortStableFunc(sooner, func(a, b Packet) int { return cmp.Compare(a.At, b.At) })
	return sooner
}

// follows reports whether a packet is of the stream.
func (s *stream) follows(p Packet) bool {
	step := int32(p.Timestamp - s.timestamp)
	return p.Talker == s.talker && step <= jump && step >= -jump
}

// Restamped reports whether a server may have stamped packets anew by when they came to it, where by says that this may
// have been late: time stamps do not follow as those of frames do. Then a delay makes gaps in what is played
// that no sooner arrival closes.
func Restamped(packets []Packet, by func(time.Duration) time.Duration) bool {
	latest := map[int]Packet{}
	for _, p := range packets {
		before, known := latest[p.Section]
		count := int16(p.Sequence - before.Sequence)
		if known && count <= 0 && p.Talker == before.Talker {
			continue // it came before, or another did that was sent later
		}
		latest[p.Section] = p
		if !known || p.Talker != before.Talker || count > steadyPackets || by(p.At) == 0 && by(before.At) == 0 {
			continue
		}
		if step := int32(p.Timestamp - before.Timestamp); step%frameTicks != 0 || step < int32(count)*frameTicks {
			return true
		}
	}
	return false
}
