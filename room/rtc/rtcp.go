package rtc

import (
	"encoding/binary"
	"time"
)

const (
	rtcpSenderReport = 200
	rtcpDescription  = 202
	rtcpFeedback     = 205 // transport-layer feedback (RFC 4585, section 6.2)
	formatNACK       = 1
	sdesCNAME        = 1
	reportSize       = 28 + 4 + 4 + 2 + 255 + 4
)

// reportInterval is the interval of sender reports (RFC 3550, section 6.2).
const reportInterval = 5 * time.Second

// ntpEpoch is 1970 in seconds since 1900 (RFC 5905, section 6).
const ntpEpoch = 2208988800

// senderReport is what an ear's stream reports on what it has sent.
type senderReport struct {
	ssrc            uint32
	at              time.Time
	timestamp       uint32 // the RTP timestamp at that time
	packets, octets uint32
	cname           string // up to 255 bytes
}

// append writes the report as a compound packet: a sender report and the source
// description that has to be with it (RFC 3550, sections 6.1, 6.4.1 and 6.5).
func (r *senderReport) append(b []byte) []byte {
	put := binary.BigEndian.AppendUint32
	b = append(b, 2<<6, rtcpSenderReport, 0, 6)
	b = put(b, r.ssrc)
	b = put(b, uint32(r.at.Unix()+ntpEpoch))
	b = put(b, uint32(uint64(r.at.Nanosecond())<<32/uint64(time.Second)))
	b = put(b, r.timestamp)
	b = put(b, r.packets)
	b = put(b, r.octets)
	start := len(b)
	b = append(b, 2<<6|1, rtcpDescription, 0, 0)
	b = put(b, r.ssrc)
	b = append(b, sdesCNAME, byte(len(r.cname)))
	b = append(b, r.cname...)
	b = append(b, 0) // ends the items; more of it fills the last word
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

// forEachNACK calls f for every packet that a compound RTCP packet asks for
// (RFC 4585, section 6.2.1).
func forEachNACK(compound []byte, f func(ssrc uint32, seq uint16)) {
	for b := compound; len(b) >= 4; {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return
		}
		if b[1] == rtcpFeedback && b[0]&31 == formatNACK && n >= 12 {
			ssrc := binary.BigEndian.Uint32(b[8:])
			for item := b[12:n]; len(item) >= 4; item = item[4:] {
				seq, more := binary.BigEndian.Uint16(item), binary.BigEndian.Uint16(item[2:])
				f(ssrc, seq)
				for ; more != 0; more >>= 1 {
					seq++
					if more&1 != 0 {
						f(ssrc, seq)
					}
				}
			}
		}
		b = b[n:]
	}
}
