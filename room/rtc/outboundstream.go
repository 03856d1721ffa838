package rtc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// headerSize is the size of an RTP header with one CSRC, headerSizeWithLevel
	// with the audio level extension besides: the word that announces the one-byte
	// form (RFC 8285, section 4.2), and one with the extension.
	headerSize          = 16
	headerSizeWithLevel = headerSize + 8
	oneByteForm         = 0xbede
)

// outboundStream is the RTP stream of one section of an ear: all that a packet
// changes, in one piece of memory. It belongs to the ear's shard.
type outboundStream struct {
	stream  srtp.Stream
	ssrc    uint32
	payload uint8 // the payload type of Opus
	red     uint8 // that of redundant audio, 0: none
	level   uint8 // the id of the audio level extension, 0: none
	nack    bool  // the client may ask for packets again
	begun   bool

	// The offsets from the slot's timeline to the section's own.
	sequence  uint16
	timestamp uint32

	// What sender reports report.
	packets, octets uint32
	due             int64 // the next report, in nanoseconds since 1970
}

// begin fixes where the section's own timeline starts. The first packet has a
// random sequence number below 2^15, so that a receiver who misses some can
// still know the rollover count (RFC 3711, section 3.3.1), but not so low that a
// late packet would come before zero. The first report comes after a random
// time, so that a thousand listeners who came together don't report together.
func (s *outboundStream) begin(p *fanout.Packet, now time.Time) {
	s.begun = true
	s.sequence = uint16(rand.IntN(1<<15-1<<8)+1<<8) - p.Seq
	s.timestamp = rand.Uint32() - p.Timestamp
	s.due = now.Add(reportInterval/2 + rand.N(reportInterval/2)).UnixNano()
}

// headerSize is how long the section's headers are.
func (s *outboundStream) headerSize() int {
	if s.level != 0 {
		return headerSizeWithLevel
	}
	return headerSize
}

// redundant reports whether a packet holds the frame before it as well.
func (s *outboundStream) redundant(p *fanout.Packet) bool {
	return s.red != 0 && p.Earlier != nil && red.Fits(p.EarlierBy, len(p.Earlier.Payload), len(p.Payload))
}

// payloadSize is how long the payload of a packet is, in bytes.
func (s *outboundStream) payloadSize(p *fanout.Packet) int {
	if s.redundant(p) {
		return red.Size(len(p.Earlier.Payload), len(p.Payload))
	}
	return len(p.Payload)
}

// header writes the RTP header of a packet (RFC 3550, section 5.1).
func (s *outboundStream) header(b []byte, p *fanout.Packet) []byte {
	b = b[:s.headerSize()]
	b[0] = 2<<6 | 1
	b[1] = s.payload
	if s.redundant(p) {
		b[1] = s.red
	}
	if p.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.Seq+s.sequence)
	binary.BigEndian.PutUint32(b[4:], p.Timestamp+s.timestamp)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	binary.BigEndian.PutUint32(b[12:], p.Talker)
	if s.level != 0 {
		b[0] |= 1 << 4
		binary.BigEndian.PutUint32(b[16:], oneByteForm<<16|1)
		level := min(p.Level, fanout.Silence)
		if p.Voice {
			level |= 0x80
		}
		b[20], b[21], b[22], b[23] = s.level<<4, level, 0, 0
	}
	return b
}

// report makes a report on what the section has sent so far. p is its newest packet.
func (s *outboundStream) report(p *fanout.Packet, now time.Time, cname string) senderReport {
	since := now.Sub(p.Arrived).Microseconds() * clockRate / 1e6
	return senderReport{
		ssrc: s.ssrc, at: now, timestamp: p.Timestamp + s.timestamp + uint32(since),
		packets: s.packets, octets: s.octets, cname: cname,
	}
}

// mediaStreamName is the media stream of all sections, and trackName the track of
// the section with that index among those that carry voices.
const mediaStreamName = "earshot"

func trackName(index int) string { return fmt.Sprintf("voice-%d", index) }
