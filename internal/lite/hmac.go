package lite

import (
	"crypto/sha1"
	"hash"
	"sync"
)

// stunHMAC computes HMAC-SHA1 (RFC 2104) for STUN with a new key each time
// and without allocating, which crypto/hmac cannot.
type stunHMAC struct {
	inner, outer hash.Hash
	pad          [sha1.BlockSize]byte
	head         [stunHeader]byte // a message's header with another length
	sum          [sha1.Size]byte
	out          [maxSTUN]byte // for the message that is written
}

// maxSTUN is the longest message that is written: a check with two user name
// fragments of 256 characters.
const maxSTUN = 640

// stunHMACPool is shared by all endpoints of an owner. It is safe for concurrent
// use.
type stunHMACPool struct{ pool sync.Pool }

func (p *stunHMACPool) get() *stunHMAC {
	if h, ok := p.pool.Get().(*stunHMAC); ok {
		return h
	}
	return &stunHMAC{inner: sha1.New(), outer: sha1.New()}
}

func (p *stunHMACPool) put(h *stunHMAC) { p.pool.Put(h) }

// integrity is the MESSAGE-INTEGRITY of a STUN message up to that attribute
// (RFC 8489, section 14.5): over the message with a length that takes the
// attribute in. The result is h's memory.
func (h *stunHMAC) integrity(key string, message []byte) []byte {
	copy(h.head[:], message)
	putLength(h.head[:], len(message)+4+sha1.Size)
	h.setPad(key, 0x36)
	h.inner.Reset()
	h.inner.Write(h.pad[:])
	h.inner.Write(h.head[:])
	h.inner.Write(message[stunHeader:])
	sum := h.inner.Sum(h.sum[:0])
	h.setPad(key, 0x5c)
	h.outer.Reset()
	h.outer.Write(h.pad[:])
	h.outer.Write(sum)
	return h.outer.Sum(h.sum[:0])
}

func (h *stunHMAC) setPad(key string, with byte) {
	clear(h.pad[:])
	if len(key) > len(h.pad) { // a client's password may be that long
		sum := sha1.Sum([]byte(key))
		copy(h.pad[:], sum[:])
	} else {
		copy(h.pad[:], key)
	}
	for i := range h.pad {
		h.pad[i] ^= with
	}
}
