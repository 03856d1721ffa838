package dtls

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

const (
	suiteECDSA = 0xc02b // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	suiteRSA   = 0xc02f // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	suiteSCSV  = 0x00ff // TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746)

	curveP256   = 23
	curveX25519 = 29

	extensionGroups         = 10
	extensionPointFormats   = 11
	extensionSignatures     = 13
	extensionSRTP           = 14
	extensionExtendedMaster = 23
	extensionVersions       = 43
	extensionRenegotiation  = 0xff01

	randomLength = 32
)

// hello is what counts of a ClientHello or ServerHello.
type hello struct {
	version      uint16
	random       []byte
	cookie       []byte
	suites       []uint16 // one in a ServerHello
	compressions []byte   // one in a ServerHello

	groups, schemes, profiles, versions []uint16 // nil without the extension
	extendedMaster                      bool
	renegotiation                       bool // it is known to be safe
	pointFormats                        bool
}

// readHello reads the body of a hello. What the extensions of the server's are for
// is checked by the caller.
func readHello(body []byte, client bool) (h hello, ok bool) {
	s := cryptobyte.String(body)
	var session, cookie, suites, compressions cryptobyte.String
	if !s.ReadUint16(&h.version) || !s.ReadBytes(&h.random, randomLength) || !s.ReadUint8LengthPrefixed(&session) || len(session) > 32 {
		return h, false
	}
	if client {
		if !s.ReadUint8LengthPrefixed(&cookie) || !s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compressions) {
			return h, false
		}
		h.cookie, h.compressions = cookie, compressions
		if h.suites, ok = readUint16s(suites); !ok {
			return h, false
		}
	} else {
		var suite uint16
		if !s.ReadUint16(&suite) || !s.ReadBytes(&h.compressions, 1) {
			return h, false
		}
		h.suites = []uint16{suite}
	}
	h.renegotiation = slices.Contains(h.suites, suiteSCSV)
	if s.Empty() {
		return h, true // without extensions
	}
	var extensions cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return h, false
	}
	var seen uint64 // bits: the extensions that count and have come
	for !extensions.Empty() {
		var kind uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&data) {
			return h, false
		}
		bit := uint64(1) << (kind % 64) // which differs for those that count
		switch kind {
		case extensionGroups, extensionPointFormats, extensionSignatures, extensionSRTP, extensionExtendedMaster,
			extensionVersions, extensionRenegotiation:
			if seen&bit != 0 || !h.readExtension(kind, data) {
				return h, false
			}
			seen |= bit
		}
	}
	return h, true
}

// readExtension reads an extension that counts.
func (h *hello) readExtension(kind uint16, data cryptobyte.String) (ok bool) {
	var list cryptobyte.String
	switch kind {
	case extensionGroups:
		h.groups, ok = readVector(&data)
	case extensionSignatures:
		h.schemes, ok = readVector(&data)
	case extensionVersions:
		if len(data) == 2 {
			return true // a server's, which is not 1.2: its version says so, too
		}
		ok = data.ReadUint8LengthPrefixed(&list)
		if ok {
			h.versions, ok = readUint16s(list)
		}
	case extensionSRTP:
		var mki cryptobyte.String // RFC 5764 lets the server do without
		h.profiles, ok = readVector(&data)
		ok = ok && data.ReadUint8LengthPrefixed(&mki)
	case extensionExtendedMaster:
		h.extendedMaster, ok = true, true
	case extensionPointFormats:
		h.pointFormats = true
		return true // everybody has the uncompressed one
	case extensionRenegotiation:
		h.renegotiation = true
		ok = data.ReadUint8LengthPrefixed(&list) && list.Empty() // nothing was negotiated before
	}
	return ok && data.Empty()
}

// readVector reads a vector of numbers with a length of two bytes.
func readVector(s *cryptobyte.String) ([]uint16, bool) {
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) {
		return nil, false
	}
	return readUint16s(list)
}

// readUint16s reads a list of numbers, which is not empty.
func readUint16s(s cryptobyte.String) ([]uint16, bool) {
	if len(s) == 0 || len(s)%2 != 0 {
		return nil, false
	}
	list := make([]uint16, len(s)/2)
	for i := range list {
		s.ReadUint16(&list[i])
	}
	return list, true
}

// appendClientHello appends the body of a ClientHello.
func appendClientHello(b, random, cookie []byte, profiles []uint16) []byte {
	b = append(append(b, versionMajor, versionMinor), random...)
	b = append(b, 0) // no session to resume
	b = append(append(b, byte(len(cookie))), cookie...)
	b = appendVector(b, suiteECDSA, suiteRSA)
	b = append(b, 1, 0) // no compression
	return appendExtensions(b, func(b []byte) []byte {
		b = appendExtension(b, extensionSignatures, schemes...)
		b = append(b, 0xff, 0x01, 0, 1, 0) // RFC 5746, section 3.4
		b = appendExtension(b, extensionGroups, curveP256, curveX25519)
		b = append(b, 0, extensionPointFormats, 0, 2, 1, 0)
		b = append(b, 0, extensionSRTP)
		b = binary.BigEndian.AppendUint16(b, uint16(2+2*len(profiles)+1))
		b = append(appendVector(b, profiles...), 0) // no MKI
		return append(b, 0, extensionExtendedMaster, 0, 0)
	})
}

// appendServerHello appends the body of the ServerHello that answers a client's,
// with only the extensions that the client knows.
func appendServerHello(b, random []byte, client *hello, profile uint16) []byte {
	b = append(append(b, versionMajor, versionMinor), random...)
	b = append(b, 0) // no session to be resumed
	b = binary.BigEndian.AppendUint16(b, suiteECDSA)
	b = append(b, 0) // no compression
	return appendExtensions(b, func(b []byte) []byte {
		if client.extendedMaster {
			b = append(b, 0, extensionExtendedMaster, 0, 0)
		}
		if client.renegotiation {
			b = append(b, 0xff, 0x01, 0, 1, 0)
		}
		if client.pointFormats {
			b = append(b, 0, extensionPointFormats, 0, 2, 1, 0)
		}
		b = append(b, 0, extensionSRTP, 0, 5)
		return append(appendVector(b, profile), 0)
	})
}

// appendExtensions appends extensions with their length.
func appendExtensions(b []byte, add func([]byte) []byte) []byte {
	at := len(b)
	b = add(append(b, 0, 0))
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	return b
}

// appendExtension appends an extension that is a vector of numbers.
func appendExtension(b []byte, kind uint16, list ...uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(2+2*len(list)))
	return appendVector(b, list...)
}

func appendVector(b []byte, list ...uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(list)))
	for _, n := range list {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}

// readHelloVerify reads the cookie of a HelloVerifyRequest (RFC 6347, section 4.2.1).
func readHelloVerify(body []byte) (cookie []byte, ok bool) {
	s := cryptobyte.String(body)
	var version uint16
	var c cryptobyte.String
	ok = s.ReadUint16(&version) && s.ReadUint8LengthPrefixed(&c) && s.Empty()
	return c, ok
}
