package lite

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"hash"
	"time"
)

const (
	alertWarning     = 1
	alertFatal       = 2
	alertCloseNotify = 0

	gcmExplicit = 8 // the explicit part of the nonce (RFC 5288, section 3)

	// A peer that lost our last flight retransmits its own (RFC 6347, section 4.2.4).
	maxRetransmissions = 16
	retransmitInterval = 50 * time.Millisecond
)

// dtlsState is the state of a DTLS connection after its handshake: the keys of
// epoch 1 and the sequence numbers. It recognises the alert that ends the
// session, writes this side's, and retransmits the last flight to a peer that
// missed it. It keeps no key schedules, since it is used about twice in a
// session. It is not safe for concurrent use.
type dtlsState struct {
	writeKey, readKey [16]byte
	writeIV, readIV   [4]byte
	nextSequence      [2]uint64 // sequence numbers to write in epochs 0 and 1
	finished          []byte    // our Finished in plain, until the peer is known to have it
	retransmissions   int
	retransmitted     time.Time
}

// newDTLSState derives the keys of a connection with a cipher suite of
// AES_128_GCM_SHA256 (RFC 5246, section 6.3).
func newDTLSState(keyed hash.Hash, clientRandom []byte, flights *flightLog) (*dtlsState, error) {
	var block [2*16 + 2*4]byte
	expand(keyed, block[:], labelKeys, flights.serverRandom[:], clientRandom)
	a := &dtlsState{nextSequence: flights.nextSequence}
	write, read := 0, 1 // the client's come first
	if !flights.client {
		write, read = 1, 0
	}
	copy(a.writeKey[:], block[16*write:])
	copy(a.readKey[:], block[16*read:])
	copy(a.writeIV[:], block[32+4*write:])
	copy(a.readIV[:], block[32+4*read:])
	for r := range records(flights.finished) {
		plain, ok := openRecord(a.writeKey[:], a.writeIV, r)
		if !ok {
			return nil, fmt.Errorf("derive the DTLS keys: they do not open our own Finished")
		}
		if !flights.client {
			a.finished = plain
		}
	}
	return a, nil
}

// handle reads a datagram. It reports whether the peer ended the session, and
// returns what to send back, if anything.
func (a *dtlsState) handle(datagram []byte, now time.Time) (closed bool, reply []byte) {
	repeat := false
	for r := range records(datagram) {
		if r.epoch == 0 {
			repeat = repeat || r.kind == recordHandshake
			continue
		}
		plain, ok := openRecord(a.readKey[:], a.readIV, r)
		if !ok {
			continue
		}
		switch r.kind {
		case recordAlert:
			if endsSession(plain) {
				return true, a.closeNotify() // RFC 5246, section 7.2.1 wants an answer
			}
		case recordHandshake:
			repeat = true
		case recordApplication:
			a.confirmFinished()
		}
	}
	if repeat {
		reply = a.lastFlight(now)
	}
	return false, reply
}

// endedBy reports whether an alert record, which may be nil, ended the session.
func (a *dtlsState) endedBy(alert []byte) bool {
	for r := range records(alert) {
		plain, ok := openRecord(a.readKey[:], a.readIV, r)
		return ok && endsSession(plain)
	}
	return false
}

// endsSession reports whether an alert ends its session (RFC 5246, section 7.2).
func endsSession(alert []byte) bool {
	return len(alert) == 2 && (alert[0] == alertFatal || alert[1] == alertCloseNotify)
}

// confirmFinished notes that the peer has our last flight.
func (a *dtlsState) confirmFinished() { a.finished = nil }

// lastFlight writes ChangeCipherSpec and Finished again, under new sequence
// numbers (RFC 6347, section 4.2.4).
func (a *dtlsState) lastFlight(now time.Time) []byte {
	if a.finished == nil || a.retransmissions == maxRetransmissions || now.Sub(a.retransmitted) < retransmitInterval {
		return nil
	}
	a.retransmissions, a.retransmitted = a.retransmissions+1, now
	b := appendRecordHeader(nil, recordChangeCipherSpec, 0, a.nextSequence[0], 1)
	a.nextSequence[0]++
	return a.seal(append(b, 1), recordHandshake, a.finished)
}

// closeNotify writes the alert that ends the session.
func (a *dtlsState) closeNotify() []byte {
	return a.seal(nil, recordAlert, []byte{alertWarning, alertCloseNotify})
}

// seal appends a record of epoch 1.
func (a *dtlsState) seal(b []byte, kind byte, plain []byte) []byte {
	seq := a.nextSequence[1]
	a.nextSequence[1]++
	b = appendRecordHeader(b, kind, 1, seq, gcmExplicit+len(plain)+16)
	header := b[len(b)-recordHeader:]
	b = append(b, header[3:11]...)
	aead := recordCipher(a.writeKey[:])
	return aead.Seal(b, recordNonce(a.writeIV, header[3:11]), plain, recordAAD(header, len(plain)))
}

func appendRecordHeader(b []byte, kind byte, epoch uint16, seq uint64, n int) []byte {
	b = append(b, kind, 0xfe, 0xfd)
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|seq)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// openRecord opens a record of epoch 1.
func openRecord(key []byte, iv [4]byte, r record) ([]byte, bool) {
	if r.epoch != 1 || len(r.body) < gcmExplicit+16 {
		return nil, false
	}
	plain, err := recordCipher(key).Open(nil, recordNonce(iv, r.body[:gcmExplicit]), r.body[gcmExplicit:],
		recordAAD(r.raw, len(r.body)-gcmExplicit-16))
	return plain, err == nil
}

func recordCipher(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has 16 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return aead
}

func recordNonce(iv [4]byte, explicit []byte) []byte {
	return append(iv[:], explicit...)
}

// recordAAD is epoch, sequence number, type, version and plain length (RFC 5246,
// section 6.2.3.3).
func recordAAD(header []byte, plain int) []byte {
	b := append(make([]byte, 0, recordHeader), header[3:11]...)
	return binary.BigEndian.AppendUint16(append(b, header[:3]...), uint16(plain))
}
