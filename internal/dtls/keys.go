package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"hash"
)

const (
	gcmExplicit = 8  // the explicit part of the nonce (RFC 5288, section 3)
	gcmTag      = 16 // at a record's end
)

// keys are the keys and numbers of epoch 1, with AES-128-GCM. They keep no key
// schedules, since they are used a few times in a session.
type keys struct {
	writeKey, readKey [16]byte
	writeIV, readIV   [4]byte
	nextSequence      [2]uint64 // sequence numbers to write in epochs 0 and 1
}

// derive derives the keys from a master secret (RFC 5246, section 6.3).
func (k *keys) derive(keyed hash.Hash, client bool, clientRandom, serverRandom []byte) {
	var block [2*16 + 2*4]byte
	expand(keyed, block[:], labelKeys, serverRandom, clientRandom)
	write, read := 0, 1 // the client's come first
	if !client {
		write, read = 1, 0
	}
	copy(k.writeKey[:], block[16*write:])
	copy(k.readKey[:], block[16*read:])
	copy(k.writeIV[:], block[32+4*write:])
	copy(k.readIV[:], block[32+4*read:])
}

// plain appends a record of epoch 0.
func (k *keys) plain(b []byte, kind byte, body []byte) []byte {
	return append(k.appendPlainHeader(b, kind, len(body)), body...)
}

// appendPlainHeader appends the header of a record of epoch 0 whose body has n bytes.
func (k *keys) appendPlainHeader(b []byte, kind byte, n int) []byte {
	b = appendRecordHeader(b, kind, 0, k.nextSequence[0], n)
	k.nextSequence[0]++
	return b
}

// seal appends a record of epoch 1.
func (k *keys) seal(b []byte, kind byte, plain []byte) []byte {
	seq := k.nextSequence[1]
	k.nextSequence[1]++
	b = appendRecordHeader(b, kind, 1, seq, gcmExplicit+len(plain)+gcmTag)
	header := b[len(b)-RecordHeader:]
	b = append(b, header[3:11]...)
	aead := recordCipher(k.writeKey[:])
	return aead.Seal(b, recordNonce(k.writeIV, header[3:11]), plain, recordAAD(header, len(plain)))
}

// open opens a record of epoch 1.
func (k *keys) open(r Record) ([]byte, bool) {
	if r.Epoch != 1 || len(r.Body) < gcmExplicit+gcmTag {
		return nil, false
	}
	plain, err := recordCipher(k.readKey[:]).Open(nil, recordNonce(k.readIV, r.Body[:gcmExplicit]), r.Body[gcmExplicit:],
		recordAAD(r.Raw, len(r.Body)-gcmExplicit-gcmTag))
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
	b := append(make([]byte, 0, RecordHeader), header[3:11]...)
	return binary.BigEndian.AppendUint16(append(b, header[:3]...), uint16(plain))
}
