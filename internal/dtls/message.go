package dtls

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

const (
	versionMajor, versionMinor = 0xfe, 0xfd // DTLS 1.2

	// messageHeader is the length of a handshake message's header (RFC 6347, section 4.2.2).
	messageHeader = 12

	messageClientHello        = 1
	messageServerHello        = 2
	messageHelloVerify        = 3
	messageCertificate        = 11
	messageServerKeyExchange  = 12
	messageCertificateRequest = 13
	messageServerHelloDone    = 14
	messageCertificateVerify  = 15
	messageClientKeyExchange  = 16
	messageFinished           = 20
)

// fragment is a handshake message, or a part of one.
type fragment struct {
	kind   byte
	length int // of the message
	seq    uint16
	offset int
	body   []byte
}

// readFragment takes the next fragment from a record's body.
func readFragment(s *cryptobyte.String) (f fragment, ok bool) {
	var length, offset, n uint32
	ok = s.ReadUint8(&f.kind) && s.ReadUint24(&length) && s.ReadUint16(&f.seq) && s.ReadUint24(&offset) && s.ReadUint24(&n) &&
		s.ReadBytes(&f.body, int(n)) && offset+n <= length
	f.length, f.offset = int(length), int(offset)
	return f, ok
}

// appendMessageHeader appends the header of a message or a part of one.
func appendMessageHeader(b []byte, kind byte, length int, seq uint16, offset, n int) []byte {
	b = appendUint24(append(b, kind), length)
	b = binary.BigEndian.AppendUint16(b, seq)
	return appendUint24(appendUint24(b, offset), n)
}

func appendUint24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

// appendCertificate appends a certificate list of one, or of none for nil.
func appendCertificate(b, der []byte) []byte {
	if der == nil {
		return appendUint24(b, 0)
	}
	return append(appendUint24(appendUint24(b, 3+len(der)), len(der)), der...)
}

// readCertificate reads the first certificate of a list; nil if it is empty.
func readCertificate(s cryptobyte.String) (der []byte, ok bool) {
	var list cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	for first := true; !list.Empty(); first = false {
		var one cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&one) || one.Empty() {
			return nil, false
		}
		if first {
			der = one
		}
	}
	return der, true
}

// readSignature reads a scheme and a signature, which end a message.
func readSignature(s *cryptobyte.String) (scheme uint16, signature []byte, ok bool) {
	var b cryptobyte.String
	ok = s.ReadUint16(&scheme) && s.ReadUint16LengthPrefixed(&b) && s.Empty()
	return scheme, b, ok
}

func appendSignature(b []byte, scheme uint16, signature []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, scheme)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(signature))), signature...)
}
