package lite

import (
	"encoding/binary"
	"iter"
)

// The DTLS 1.2 record layer (RFC 6347, section 4.1).
const (
	recordHeader = 13

	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplication      = 23

	messageClientHello = 1
	messageServerHello = 2
	handshakeHeader    = 12
)

// record is one record of a datagram.
type record struct {
	raw   []byte // header and body
	kind  byte
	epoch uint16
	seq   uint64
	body  []byte
}

// records walks through the records of a datagram, up to the first that is not
// one of DTLS 1.2.
func records(b []byte) iter.Seq[record] {
	return func(yield func(record) bool) {
		for len(b) >= recordHeader {
			n := recordHeader + int(binary.BigEndian.Uint16(b[11:]))
			// A first hello may say that it is DTLS 1.0 (RFC 6347, section 4.2.1).
			if b[0] < recordChangeCipherSpec || b[0] > recordApplication || b[1] != 0xfe || b[2] != 0xfd && b[2] != 0xff || len(b) < n {
				return
			}
			r := record{raw: b[:n], kind: b[0], epoch: binary.BigEndian.Uint16(b[3:]),
				seq: binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1), body: b[recordHeader:n]}
			if !yield(r) {
				return
			}
			b = b[n:]
		}
	}
}

// isHello reports whether a datagram begins with a ClientHello, or a part of one.
func isHello(b []byte) bool {
	for r := range records(b) {
		return r.kind == recordHandshake && r.epoch == 0 && len(r.body) >= handshakeHeader && r.body[0] == messageClientHello
	}
	return false
}

// flightLog keeps what is needed of a handshake's datagrams after it.
type flightLog struct {
	client       bool
	serverRandom [32]byte
	nextSequence [2]uint64 // the next sequence number to write in epochs 0 and 1
	finished     []byte    // the record of our Finished, encrypted
	alert        []byte    // the last alert that came under the keys, encrypted
}

func (l *flightLog) observe(datagram []byte, out bool) {
	for r := range records(datagram) {
		// The server's random is in its hello: what it writes, the client reads.
		if l.client != out && r.kind == recordHandshake && r.epoch == 0 &&
			len(r.body) >= handshakeHeader+2+32 && r.body[0] == messageServerHello &&
			r.body[6] == 0 && r.body[7] == 0 && r.body[8] == 0 {
			copy(l.serverRandom[:], r.body[handshakeHeader+2:])
		}
		if !out && r.epoch == 1 && r.kind == recordAlert {
			l.alert = append(l.alert[:0], r.raw...)
		}
		if !out || r.epoch > 1 {
			continue
		}
		l.nextSequence[r.epoch] = max(l.nextSequence[r.epoch], r.seq+1)
		if r.epoch == 1 && r.kind == recordHandshake {
			l.finished = append(l.finished[:0], r.raw...)
		}
	}
}
