package dtls

import (
	"encoding/binary"
	"iter"
)

// The DTLS 1.2 record layer (RFC 6347, section 4.1).
const (
	// RecordHeader is the length of a record's header.
	RecordHeader = 13

	// The kinds of records.

	RecordChangeCipherSpec = 20
	RecordAlert            = 21
	RecordHandshake        = 22
	RecordApplication      = 23
)

// Record is one record of a datagram.
type Record struct {
	Raw   []byte // header and body
	Kind  byte
	Epoch uint16
	Seq   uint64
	Body  []byte
}

// Records walks through the records of a datagram, up to the first that is not
// one of DTLS 1.2.
func Records(b []byte) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for len(b) >= RecordHeader {
			n := RecordHeader + int(binary.BigEndian.Uint16(b[11:]))
			// A first hello may say that it is DTLS 1.0 (RFC 6347, section 4.2.1).
			if b[0] < RecordChangeCipherSpec || b[0] > RecordApplication || b[1] != 0xfe || b[2] != 0xfd && b[2] != 0xff || len(b) < n {
				return
			}
			r := Record{Raw: b[:n], Kind: b[0], Epoch: binary.BigEndian.Uint16(b[3:]),
				Seq: binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1), Body: b[RecordHeader:n]}
			if !yield(r) {
				return
			}
			b = b[n:]
		}
	}
}

// IsHello reports whether a datagram begins with a ClientHello, or a part of one.
func IsHello(b []byte) bool {
	for r := range Records(b) {
		return r.Kind == RecordHandshake && r.Epoch == 0 && len(r.Body) >= messageHeader && r.Body[0] == messageClientHello
	}
	return false
}

func appendRecordHeader(b []byte, kind byte, epoch uint16, seq uint64, n int) []byte {
	b = append(b, kind, versionMajor, versionMinor)
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|seq)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}
