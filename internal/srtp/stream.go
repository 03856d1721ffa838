package srtp

import "encoding/binary"

// resealable is how many packets back a stream can seal one again; it is the
// width of window.
const resealable = 64

// Stream is one SSRC of a sealer: its rollover count, and the guard that no
// index seals two packets. It is what sealing changes, in one piece of memory.
type Stream struct {
	rtp      transform
	overhead int
	ssrc     uint32
	sealed   window
	sealedAs *memory // nil: not kept
}

// memory is how the recent packets were sealed, by index.
type memory struct {
	tags    [resealable]uint32 // how each tag begins
	padding [resealable]uint8
}

// MaxPadding is the most padding that a packet can have (RFC 3550, section 5.1).
const MaxPadding = 255

// paddingFlag says that a packet has padding, in the first byte of its header.
const paddingFlag = 0x20

// Remember makes Reseal possible. It is called before the first packet.
func (st *Stream) Remember() { st.sealedAs = new(memory) }

// Prefetch asks for the memory of the keys, which is apart from the stream's
// own; that should be near already.
func (st *Stream) Prefetch() { st.rtp.prefetchKeys() }

// SSRC is the stream's source.
func (st *Stream) SSRC() uint32 { return st.ssrc }

// Index is the highest index sealed (rollover count and sequence number); false
// before the first packet.
func (st *Stream) Index() (uint64, bool) { return st.sealed.highest, st.sealed.seen != 0 }

// Seal appends an RTP packet to dst: header (with its CSRCs and extensions) as
// it is, then the sealed payload. It allocates nothing: if dst lacks the room
// it gives ErrShortBuffer. The header may stand in dst's spare room already;
// the payload must not.
//
// The first sequence number has to be below 2^15, so that a receiver that
// loses the first packets can still find the rollover count (RFC 3711, section
// 3.3.1). From then on packets may be up to 63 late and up to 2^15 ahead; an
// index that was used, or that is too old to know, gives ErrIndexUsed.
func (st *Stream) Seal(dst, header, payload []byte) ([]byte, error) {
	return st.SealPadded(dst, header, payload, 0)
}

// SealPadded is Seal of a packet with so many bytes of padding, at most MaxPadding.
// They are encrypted with the payload (RFC 3711, section 3.1).
func (st *Stream) SealPadded(dst, header, payload []byte, padding int) ([]byte, error) {
	index, err := st.admit(dst, header, len(payload)+padding)
	if err != nil {
		return dst, err
	}
	if st.sealed.seen == 0 && index >= 1<<15 {
		return dst, ErrFirstSequence
	}
	if !st.sealed.fresh(index) {
		return dst, ErrIndexUsed
	}
	st.sealed.mark(index)
	dst = st.rtp.sealRTP(dst, header, payload, padding, st.ssrc, index)
	if st.sealedAs != nil {
		st.sealedAs.tags[index%resealable], st.sealedAs.padding[index%resealable] = st.tagStart(dst), uint8(padding)
	}
	return dst, nil
}

// Reseal seals one of the last 64 packets since Remember again, for a
// retransmission. Header
// and payload have to be what they were: if they are not, the same index would
// seal two plaintexts, and Reseal gives ErrIndexUsed and nothing else (it knows
// by the tag, which is a function of all of it). The padding is what it was, too:
// Padding tells how much of it there is.
func (st *Stream) Reseal(dst, header, payload []byte) ([]byte, error) {
	if len(header) < rtpHeader {
		return dst, ErrMalformed
	}
	padding := st.Padding(binary.BigEndian.Uint16(header[2:]))
	index, err := st.admit(dst, header, len(payload)+padding)
	if err != nil {
		return dst, err
	}
	if st.sealedAs == nil || !st.sealed.had(index) {
		return dst, ErrIndexUnknown
	}
	n := len(dst)
	sealed := st.rtp.sealRTP(dst, header, payload, padding, st.ssrc, index)
	if st.tagStart(sealed) != st.sealedAs.tags[index%resealable] {
		clear(sealed[n:])
		return dst, ErrIndexUsed
	}
	return sealed, nil
}

// Padding is how much padding one of the last 64 packets since Remember has.
func (st *Stream) Padding(seq uint16) int {
	if st.sealedAs == nil {
		return 0
	}
	return int(st.sealedAs.padding[seq%resealable])
}

// tagStart gives the first bytes of the tag at the end of a sealed packet.
func (st *Stream) tagStart(sealed []byte) uint32 {
	return binary.BigEndian.Uint32(sealed[len(sealed)-st.overhead:])
}

// admit checks a packet and finds its index.
func (st *Stream) admit(dst, header []byte, payload int) (uint64, error) {
	if len(header) < rtpHeader || header[0]>>6 != 2 || binary.BigEndian.Uint32(header[8:]) != st.ssrc {
		return 0, ErrMalformed
	}
	if cap(dst)-len(dst) < len(header)+payload+st.overhead {
		return 0, ErrShortBuffer
	}
	index, ok := st.sealed.extend(binary.BigEndian.Uint16(header[2:]))
	if !ok {
		if st.sealed.highest > 1<<47 {
			return 0, ErrKeyExhausted
		}
		return 0, ErrIndexUsed
	}
	return index, nil
}
