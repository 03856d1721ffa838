package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"reflect"
	"unsafe"

	"github.com/earshot-audio/earshot/internal/prefetch"
)

// The index of a packet is 48 bits for RTP (ROC and sequence number) and 31 for
// RTCP; in both it stands right-aligned in the initialisation vector.
const (
	rtcpHeader  = 8       // what SRTCP leaves in the clear
	rtcpIndex   = 4       // the ESRTCP word
	encryptFlag = 1 << 31 // its first bit: the packet is encrypted
)

// transform is a cipher with its keys scheduled, for RTP or for RTCP. One
// goroutine at a time may use it: it keeps the scratch memory that would
// otherwise have to be allocated for each packet.
type transform struct {
	aead cipher.AEAD // nil: counter mode with HMAC-SHA1
	keys []byte      // the aead's own memory, only ever to be prefetched
	cm   *counterMode
	salt [14]byte // 12 bytes are used with GCM
	iv   [16]byte // scratch; 12 bytes are used with GCM
	aad  [12]byte // scratch
}

// Where the standard library's GCM keeps what it reads of its memory with a key of
// 128 bits: the round keys stand first, and the products for the tag last. Between
// them is what only decrypting block by block would take, a third of it.
const (
	roundKeys = 192
	products  = 280
)

// prefetchKeys asks for the memory of the keys.
func (t *transform) prefetchKeys() {
	if n := len(t.keys); n > roundKeys+products {
		prefetch.Slice(t.keys[:roundKeys])
		prefetch.Slice(t.keys[n-products:])
		return
	}
	prefetch.Slice(t.keys)
}

// counterMode is AES in counter mode with HMAC-SHA1 (RFC 3711, section 4).
type counterMode struct {
	block cipher.Block
	mac   hash.Hash
	key   [aes.BlockSize]byte // scratch: a block of the key stream
	sum   [sha1.Size]byte     // scratch
	roc   [4]byte             // scratch
}

// newTransform schedules session keys; auth is used in counter mode only.
func newTransform(p Profile, key, auth, salt []byte) (*transform, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	t := &transform{}
	copy(t.salt[:], salt)
	if p == CM128SHA1 {
		t.cm = &counterMode{block: block, mac: hmac.New(sha1.New, auth)}
		return t, nil
	}
	if t.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(t.aead); v.Kind() == reflect.Pointer {
		t.keys = unsafe.Slice((*byte)(v.UnsafePointer()), v.Type().Elem().Size())
	}
	return t, nil
}

// Which of the two kinds of packet a transform is for: the first of its three
// labels.
const (
	forRTP  = labelRTPKey
	forRTCP = labelRTCPKey
)

// transform derives session keys and schedules them.
func (d *derivation) transform(kind byte) (*transform, error) {
	p := d.profile
	key, salt := d.key(kind+labelRTPKey, p.KeyLen()), d.key(kind+labelRTPSalt, p.SaltLen())
	var auth []byte
	if p == CM128SHA1 {
		auth = d.key(kind+labelRTPAuth, sha1.Size)
	}
	return newTransform(p, key, auth, salt)
}

// nonce fills in the initialisation vector: for GCM the salt xored with 16 zero
// bits, the SSRC and the 48-bit index (RFC 7714, sections 8.1 and 9.1), for
// counter mode the same with the block counter after it (RFC 3711, section 4.1.1).
func (t *transform) nonce(ssrc uint32, index uint64) []byte {
	if t.aead != nil {
		copy(t.iv[:4], t.salt[:4])
		binary.BigEndian.PutUint64(t.iv[4:12], binary.BigEndian.Uint64(t.salt[4:12])^index)
		binary.BigEndian.PutUint32(t.iv[2:6], binary.BigEndian.Uint32(t.iv[2:6])^ssrc)
		return t.iv[:12]
	}
	copy(t.iv[:6], t.salt[:6])
	binary.BigEndian.PutUint64(t.iv[6:14], binary.BigEndian.Uint64(t.salt[6:14])^index)
	binary.BigEndian.PutUint32(t.iv[4:8], binary.BigEndian.Uint32(t.iv[4:8])^ssrc)
	t.iv[14], t.iv[15] = 0, 0
	return t.iv[:]
}

// sealRTP appends header, sealed payload with its padding, and tag to dst, which has
// to have the room.
func (t *transform) sealRTP(dst, header, payload []byte, padding int, ssrc uint32, index uint64) []byte {
	start := len(dst)
	iv := t.nonce(ssrc, index)
	dst = append(dst, header...)
	if padding > 0 {
		dst[start] |= paddingFlag
		body := dst[len(dst) : len(dst)+len(payload)+padding]
		clear(body[copy(body, payload):])
		body[len(body)-1] = byte(padding)
		payload = body // sealed in place
	}
	if t.aead != nil {
		return t.aead.Seal(dst, iv, payload, dst[start:])
	}
	dst = append(dst, payload...)
	t.cm.xor(dst[start+len(header):], &t.iv)
	return append(dst, t.cm.tagRTP(dst[start:], uint32(index>>16))...)
}

// openRTP opens a packet whose header has n bytes, in place.
func (t *transform) openRTP(packet []byte, n int, ssrc uint32, index uint64) ([]byte, error) {
	iv := t.nonce(ssrc, index)
	if t.aead != nil {
		plain, err := t.aead.Open(packet[n:n], iv, packet[n:], packet[:n])
		if err != nil {
			return nil, ErrUnauthentic
		}
		return packet[:n+len(plain)], nil
	}
	body := packet[:len(packet)-10]
	if subtle.ConstantTimeCompare(t.cm.tagRTP(body, uint32(index>>16)), packet[len(body):]) != 1 {
		return nil, ErrUnauthentic
	}
	t.cm.xor(body[n:], &t.iv)
	return body, nil
}

// sealRTCP appends a sealed compound packet to dst, which has to have the room.
func (t *transform) sealRTCP(dst, packet []byte, ssrc, index uint32) []byte {
	start := len(dst)
	iv := t.nonce(ssrc, uint64(index))
	dst = append(dst, packet[:rtcpHeader]...)
	if t.aead != nil {
		copy(t.aad[:], packet[:rtcpHeader])
		binary.BigEndian.PutUint32(t.aad[rtcpHeader:], index|encryptFlag)
		dst = t.aead.Seal(dst, iv, packet[rtcpHeader:], t.aad[:])
		return append(dst, t.aad[rtcpHeader:]...)
	}
	dst = append(dst, packet[rtcpHeader:]...)
	t.cm.xor(dst[start+rtcpHeader:], &t.iv)
	dst = binary.BigEndian.AppendUint32(dst, index|encryptFlag)
	return append(dst, t.cm.tag(dst[start:])...)
}

// openRTCP opens a packet of at least a header, a tag and an index, in place.
func (t *transform) openRTCP(packet []byte, ssrc, index uint32) ([]byte, error) {
	iv := t.nonce(ssrc, uint64(index))
	if t.aead != nil {
		body := packet[:len(packet)-rtcpIndex]
		copy(t.aad[:], packet[:rtcpHeader])
		copy(t.aad[rtcpHeader:], packet[len(body):])
		plain, err := t.aead.Open(body[rtcpHeader:rtcpHeader], iv, body[rtcpHeader:], t.aad[:])
		if err != nil {
			return nil, ErrUnauthentic
		}
		return packet[:rtcpHeader+len(plain)], nil
	}
	signed := packet[:len(packet)-10]
	if subtle.ConstantTimeCompare(t.cm.tag(signed), packet[len(signed):]) != 1 {
		return nil, ErrUnauthentic
	}
	body := signed[:len(signed)-rtcpIndex]
	t.cm.xor(body[rtcpHeader:], &t.iv)
	return body, nil
}

// xor en- or decrypts in place. It changes the counter in iv. cipher.NewCTR
// would be faster for long packets, but allocates; speech has a few blocks.
func (c *counterMode) xor(b []byte, iv *[16]byte) {
	for counter := uint16(0); len(b) > 0; counter++ {
		binary.BigEndian.PutUint16(iv[14:], counter)
		c.block.Encrypt(c.key[:], iv[:])
		n := subtle.XORBytes(b, b, c.key[:])
		b = b[n:]
	}
}

// tag gives the tag of b, in scratch memory.
func (c *counterMode) tag(b []byte) []byte {
	c.mac.Reset()
	c.mac.Write(b)
	return c.mac.Sum(c.sum[:0])[:10]
}

// tagRTP does the same with the rollover count appended (RFC 3711, section 4.2).
func (c *counterMode) tagRTP(b []byte, roc uint32) []byte {
	binary.BigEndian.PutUint32(c.roc[:], roc)
	c.mac.Reset()
	c.mac.Write(b)
	c.mac.Write(c.roc[:])
	return c.mac.Sum(c.sum[:0])[:10]
}
