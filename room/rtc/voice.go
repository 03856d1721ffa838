package rtc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// rtpHeader is the size of an RTP header with one CSRC, levelled with the
	// loudness extension besides: the word that announces the one-byte form
	// (RFC 8285 section 4.2), and one with the extension.
	rtpHeader = 16
	levelled  = rtpHeader + 8
	oneByte   = 0xbede

	clockRate = 48000 // of Opus in RTP (RFC 7587 section 4.1)
)

// voice is one section of a lean ear: all that a packet changes, in one piece of
// memory. It belongs to the goroutine that feeds the ear.
type voice struct {
	stream  srtp.Stream
	ssrc    uint32
	payload uint8 // the payload type of Opus
	level   uint8 // the id of the loudness extension, 0: none
	asks    bool  // the client may ask for packets again
	begun   bool

	// The offsets from the slot's timeline to the section's own.
	sequence  uint16
	timestamp uint32

	// What sender reports tell.
	packets, octets uint32
	due             int64 // the next report, in nanoseconds since 1970
}

// begin fixes where the section's own timeline starts. The first packet has a
// random sequence number below 2^15, so that a receiver who misses some can
// still tell the rollover count (RFC 3711 section 3.3.1), but not so low that a
// late packet would come before zero. The first report comes after a random
// time, so that a thousand listeners who came together don't report together.
func (v *voice) begin(p *fanout.Packet, now time.Time) {
	v.begun = true
	v.sequence = uint16(rand.IntN(1<<15-1<<8)+1<<8) - p.Seq
	v.timestamp = rand.Uint32() - p.Timestamp
	v.due = now.Add(reportEvery/2 + rand.N(reportEvery/2)).UnixNano()
}

// headerSize is how long the section's headers are.
func (v *voice) headerSize() int {
	if v.level != 0 {
		return levelled
	}
	return rtpHeader
}

// header writes the RTP header of a packet (RFC 3550 section 5.1).
func (v *voice) header(b []byte, p *fanout.Packet) []byte {
	b = b[:v.headerSize()]
	b[0] = 2<<6 | 1
	b[1] = v.payload
	if p.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.Seq+v.sequence)
	binary.BigEndian.PutUint32(b[4:], p.Timestamp+v.timestamp)
	binary.BigEndian.PutUint32(b[8:], v.ssrc)
	binary.BigEndian.PutUint32(b[12:], p.Talker)
	if v.level != 0 {
		b[0] |= 1 << 4
		binary.BigEndian.PutUint32(b[16:], oneByte<<16|1)
		level := min(p.Level, fanout.Silence)
		if p.Voice {
			level |= 0x80
		}
		b[20], b[21], b[22], b[23] = v.level<<4, level, 0, 0
	}
	return b
}

// report tells what the section has sent so far. p is its newest packet.
func (v *voice) report(p *fanout.Packet, now time.Time, name string) senderReport {
	since := now.Sub(p.Arrived).Microseconds() * clockRate / 1e6
	return senderReport{
		ssrc: v.ssrc, at: now, timestamp: p.Timestamp + v.timestamp + uint32(since),
		packets: v.packets, octets: v.octets, name: name,
	}
}

// streamName is the media stream that all voices are in, and voiceName the
// track of the section of that index, among those that carry voices.
const streamName = "earshot"

func voiceName(index int) string { return fmt.Sprintf("voice-%d", index) }
