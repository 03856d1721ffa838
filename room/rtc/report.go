package rtc

import (
	"encoding/binary"
	"time"
)

const (
	rtcpSenderReport = 200
	rtcpDescription  = 202
	sdesName         = 1
	reportSize       = 28 + 4 + 4 + 2 + 255 + 4
)

// ntpEpoch is 1970 in seconds since 1900 (RFC 5905 section 6).
const ntpEpoch = 2208988800

// senderReport is what a section tells of what it has sent.
type senderReport struct {
	ssrc            uint32
	at              time.Time
	timestamp       uint32 // the RTP timestamp at that time
	packets, octets uint32
	name            string // the CNAME, up to 255 bytes
}

// append writes the report as a compound packet: a sender report and the source
// description without which it would not be one (RFC 3550 sections 6.1, 6.4.1
// and 6.5).
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
	b = append(b, sdesName, byte(len(r.name)))
	b = append(b, r.name...)
	b = append(b, 0) // ends the items; more of it fills the last word
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}
