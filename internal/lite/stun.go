package lite

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// STUN as ICE uses it (RFC 8489, RFC 8445): Binding messages only. It is read
// and written here by hand so that what is not authentic costs no memory.
const (
	stunHeader = 20
	stunCookie = 0x2112a442

	bindingRequest    = 0x0001
	bindingIndication = 0x0011
	bindingSuccess    = 0x0101
	bindingError      = 0x0111

	attrUsername          = 0x0006
	attrIntegrity         = 0x0008
	attrErrorCode         = 0x0009
	attrUnknown           = 0x000a
	attrIntegritySHA256   = 0x001c
	attrXORMappedAddress  = 0x0020
	attrPriority          = 0x0024
	attrUseCandidate      = 0x0025
	attrFingerprint       = 0x8028
	attrControlled        = 0x8029
	attrControlling       = 0x802a
	comprehensionOptional = 0x8000

	fingerprintXOR = 0x5354554e

	codeRoleConflict = 487
	codeUnknown      = 420
)

// transactionID ties a response to its request.
type transactionID [12]byte

// stunMessage is a parsed STUN message. Its slices are parts of the datagram.
type stunMessage struct {
	raw           []byte
	kind          uint16
	transaction   transactionID
	username      []byte
	integrity     []byte // nil: none
	integrityAt   int    // where that attribute begins
	mapped        []byte
	tiebreaker    uint64
	priority      uint32
	code          int
	unknown       uint16 // the first attribute that had to be understood; 0: none
	useCandidate  bool
	controlling   bool
	controlled    bool
	fingerprinted bool
	sealed        bool // by a MESSAGE-INTEGRITY-SHA256, and by nothing before it
}

// isSTUN reports whether a datagram can be STUN at all.
func isSTUN(b []byte) bool {
	return len(b) >= stunHeader && b[0] < 4 && len(b)%4 == 0 &&
		binary.BigEndian.Uint32(b[4:]) == stunCookie &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-stunHeader
}

// putLength writes the length field for a message of n bytes in all.
func putLength(b []byte, n int) { binary.BigEndian.PutUint16(b[2:], uint16(n-stunHeader)) }

// parse reads a message and checks its FINGERPRINT if it has one. It does not
// check who wrote it.
func (m *stunMessage) parse(b []byte) bool {
	if !isSTUN(b) {
		return false
	}
	*m = stunMessage{raw: b, kind: binary.BigEndian.Uint16(b)}
	copy(m.transaction[:], b[8:stunHeader])
	for at := stunHeader; at < len(b); {
		if m.fingerprinted || len(b)-at < 4 {
			return false // nothing may follow a FINGERPRINT
		}
		attr, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		if len(b)-at-4 < (n+3)&^3 {
			return false
		}
		if !m.attribute(attr, at, b[at+4:at+4+n]) {
			return false
		}
		at += 4 + (n+3)&^3
	}
	return true
}

// attribute takes one attribute in; false if it is malformed. What follows the
// MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, other than a FINGERPRINT, is ignored
// (RFC 8489, sections 14.5 and 14.6), and of two of a kind the first counts.
func (m *stunMessage) attribute(attr uint16, at int, value []byte) bool {
	if attr == attrFingerprint {
		m.fingerprinted = true
		return len(value) == 4 &&
			binary.BigEndian.Uint32(value) == crc32.ChecksumIEEE(m.raw[:at])^fingerprintXOR
	}
	if m.integrity != nil || m.sealed {
		return true
	}
	m.sealed = attr == attrIntegritySHA256 // which is unknown here all the same
	switch attr {
	case attrUsername:
		if m.username == nil {
			m.username = value
		}
	case attrIntegrity:
		if len(value) != sha1.Size {
			return false
		}
		m.integrity, m.integrityAt = value, at
	case attrXORMappedAddress:
		m.mapped = value
	case attrErrorCode:
		if len(value) < 4 {
			return false
		}
		m.code = int(value[2]&7)*100 + int(value[3])
	case attrPriority:
		if len(value) != 4 {
			return false
		}
		m.priority = binary.BigEndian.Uint32(value)
	case attrUseCandidate:
		m.useCandidate = true
	case attrControlled, attrControlling:
		if len(value) != 8 {
			return false
		}
		m.controlled = m.controlled || attr == attrControlled
		m.controlling = m.controlling || attr == attrControlling
		m.tiebreaker = binary.BigEndian.Uint64(value)
	case attrUnknown:
	default:
		if attr < comprehensionOptional && m.unknown == 0 {
			m.unknown = attr
		}
	}
	return true
}

// authentic reports whether the message's MESSAGE-INTEGRITY was made with key.
func (m *stunMessage) authentic(h *stunHMAC, key string) bool {
	return m.integrity != nil && subtle.ConstantTimeCompare(m.integrity, h.integrity(key, m.raw[:m.integrityAt])) == 1
}

// usernames splits the user name of a request: the fragment of the one who gets it,
// and of the one who sent it (RFC 8445, section 7.2.2).
func (m *stunMessage) usernames() (to, from []byte, ok bool) {
	return bytes.Cut(m.username, []byte{':'})
}

// mappedAddress reads the XOR-MAPPED-ADDRESS (RFC 8489, section 14.2).
func (m *stunMessage) mappedAddress() (netip.AddrPort, bool) {
	v := m.mapped
	if len(v) < 8 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ stunCookie>>16
	switch {
	case v[1] == 1 && len(v) == 8:
		var ip [4]byte
		subtle.XORBytes(ip[:], v[4:], m.raw[4:])
		return netip.AddrPortFrom(netip.AddrFrom4(ip), port), true
	case v[1] == 2 && len(v) == 20:
		var ip [16]byte
		subtle.XORBytes(ip[:], v[4:], m.raw[4:])
		return netip.AddrPortFrom(netip.AddrFrom16(ip), port), true
	}
	return netip.AddrPort{}, false
}

// The writer's half: each appends to b, whose first byte is the message's.

func appendSTUN(b []byte, kind uint16, id transactionID) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, stunCookie)
	return append(b, id[:]...)
}

func appendAttribute(b []byte, attr uint16, value ...byte) []byte {
	b = binary.BigEndian.AppendUint16(b, attr)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func appendUsername(b []byte, to, from string) []byte {
	b = binary.BigEndian.AppendUint16(b, attrUsername)
	b = binary.BigEndian.AppendUint16(b, uint16(len(to)+1+len(from)))
	b = append(append(append(b, to...), ':'), from...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func appendMappedAddress(b []byte, addr netip.AddrPort) []byte {
	b = binary.BigEndian.AppendUint16(b, attrXORMappedAddress)
	ip := addr.Addr().Unmap()
	n, family := 8, uint16(1)
	if ip.Is6() {
		n, family = 20, 2
	}
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = binary.BigEndian.AppendUint16(b, family)
	b = binary.BigEndian.AppendUint16(b, addr.Port()^stunCookie>>16)
	at := len(b)
	if ip.Is4() {
		v := ip.As4()
		b = append(b, v[:]...)
	} else {
		v := ip.As16()
		b = append(b, v[:]...)
	}
	subtle.XORBytes(b[at:], b[at:], b[4:stunHeader])
	return b
}

// appendIntegrity ends a message with MESSAGE-INTEGRITY and FINGERPRINT.
func appendIntegrity(b []byte, h *stunHMAC, key string) []byte {
	sum := h.integrity(key, b)
	b = appendAttribute(b, attrIntegrity, sum...)
	putLength(b, len(b)+8)
	crc := crc32.ChecksumIEEE(b) ^ fingerprintXOR
	b = binary.BigEndian.AppendUint16(b, attrFingerprint)
	b = binary.BigEndian.AppendUint16(b, 4)
	return binary.BigEndian.AppendUint32(b, crc)
}

// appendBindingSuccess answers a request from addr.
func appendBindingSuccess(b []byte, h *stunHMAC, id transactionID, addr netip.AddrPort, key string) []byte {
	b = appendSTUN(b, bindingSuccess, id)
	b = appendMappedAddress(b, addr)
	return appendIntegrity(b, h, key)
}

// successSize is the length of what appendBindingSuccess appends.
func successSize(addr netip.AddrPort) int {
	mapped := 8
	if addr.Addr().Unmap().Is6() {
		mapped = 20
	}
	return stunHeader + (4 + mapped) + (4 + 20) + (4 + 4)
}

// appendBindingError refuses a request. unknown is the attribute that code 420
// is about.
func appendBindingError(b []byte, h *stunHMAC, id transactionID, code int, unknown uint16, key string) []byte {
	b = appendSTUN(b, bindingError, id)
	b = appendAttribute(b, attrErrorCode, 0, 0, byte(code/100), byte(code%100))
	if unknown != 0 {
		b = appendAttribute(b, attrUnknown, byte(unknown>>8), byte(unknown))
	}
	return appendIntegrity(b, h, key)
}

// check is an ICE connectivity or consent check, as a client sends it.
type check struct {
	id          transactionID
	to, from    string // user name fragments
	key         string // the password of the one who gets it
	priority    uint32
	tiebreaker  uint64
	controlling bool // then it nominates as well
}

func (c *check) append(b []byte, h *stunHMAC) []byte {
	b = appendSTUN(b, bindingRequest, c.id)
	b = appendUsername(b, c.to, c.from)
	var v [8]byte
	binary.BigEndian.PutUint64(v[:], c.tiebreaker)
	if c.controlling {
		b = appendAttribute(b, attrControlling, v[:]...)
		b = appendAttribute(b, attrUseCandidate)
	} else {
		b = appendAttribute(b, attrControlled, v[:]...)
	}
	binary.BigEndian.PutUint32(v[:], c.priority)
	b = appendAttribute(b, attrPriority, v[:4]...)
	return appendIntegrity(b, h, c.key)
}
