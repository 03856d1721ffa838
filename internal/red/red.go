// Package red reads and writes redundant audio payloads (RFC 2198): RTP payloads that hold,
// besides their own frame, copies of frames of earlier packets, so that a receiver who
// missed those still has them.
package red

import (
	"encoding/binary"
	"errors"
)

// MIMEType is the format's name in SDP and in WebRTC's codecs (RFC 2198, section 6).
const MIMEType = "audio/red"

const (
	// MaxOffset is how far, in ticks of the RTP clock, a copy may lie before the frame of
	// its packet, and MaxBlock how long a copy may be, in bytes: RFC 2198, section 3, has
	// 14 and 10 bits for them.
	MaxOffset = 1<<14 - 1
	MaxBlock  = 1<<10 - 1
	// maxPayload keeps a packet with its headers within any path's MTU, in bytes.
	maxPayload = 1100

	blockHeader = 4 // bytes
	frameHeader = 1
	another     = 0x80 // another header follows
)

// ErrMalformed is the error for a payload whose headers and blocks do not fit its length,
// or whose last block is of another format.
var ErrMalformed = errors.New("not a payload of redundant audio")

// A Block is a copy of an earlier frame.
type Block struct {
	Offset  uint32 // how many ticks before the packet's time stamp
	Payload []byte
}

// Fits reports whether a packet can hold a copy of so many bytes, so many ticks old, besides
// a frame of so many bytes.
func Fits(offset uint32, block, frame int) bool {
	return offset > 0 && offset <= MaxOffset && block > 0 && block <= MaxBlock && Size(block, frame) <= maxPayload
}

// Size is the length of a payload with one copy, in bytes.
func Size(block, frame int) int { return blockHeader + frameHeader + block + frame }

// Append appends a payload with a frame, and with one copy that [Fits] unless its payload is
// empty. format is the payload type of both.
func Append(b []byte, format uint8, copied Block, frame []byte) []byte {
	if n := len(copied.Payload); n > 0 {
		b = append(b, another|format)
		var rest [4]byte
		binary.BigEndian.PutUint32(rest[:], copied.Offset<<10|uint32(n))
		b = append(b, rest[1:]...)
	}
	b = append(b, format)
	b = append(b, copied.Payload...)
	return append(b, frame...)
}

// Format returns the payload type of a payload's frame; false if it has none.
func Format(b []byte) (uint8, bool) {
	for at := 0; at < len(b); at += blockHeader {
		if b[at]&another == 0 {
			return b[at], true
		}
	}
	return 0, false
}

// Parse returns the frame of a payload, and appends its copies to blocks, in their order: the
// oldest first, as a rule. Copies of other formats, and empty ones, are left out. All are parts of b.
func Parse(b []byte, format uint8, blocks []Block) (frame []byte, copies []Block, err error) {
	headers, length := 0, 0
	for {
		if headers >= len(b) {
			return nil, blocks, ErrMalformed
		}
		if b[headers]&another == 0 {
			break
		}
		if headers+blockHeader > len(b) {
			return nil, blocks, ErrMalformed
		}
		length += int(binary.BigEndian.Uint32(b[headers:]) & MaxBlock)
		headers += blockHeader
	}
	if b[headers] != format || headers+frameHeader+length > len(b) {
		return nil, blocks, ErrMalformed
	}
	rest := b[headers+frameHeader:]
	for at := 0; at < headers; at += blockHeader {
		word := binary.BigEndian.Uint32(b[at:])
		n := int(word & MaxBlock)
		if uint8(word>>24)&^another == format && n > 0 {
			blocks = append(blocks, Block{word >> 10 & MaxOffset, rest[:n]})
		}
		rest = rest[n:]
	}
	return rest, blocks, nil
}
