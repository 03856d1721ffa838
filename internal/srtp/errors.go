package srtp

import "errors"

// The errors of sealing and opening, to be compared with errors.Is.
var (
	// ErrMalformed is the error for bytes that are not a packet of the kind
	// asked for.
	ErrMalformed = errors.New("malformed packet")
	// ErrUnauthentic is the error for a wrong authentication tag.
	ErrUnauthentic = errors.New("packet is not authentic")
	// ErrReplayed is the error for a packet that was opened before, or that is
	// too old for the replay window.
	ErrReplayed = errors.New("packet replayed or too old")
	// ErrSources is the error for a peer with more SSRCs than are kept.
	ErrSources = errors.New("too many SSRCs")
	// ErrShortBuffer is the error for a buffer without room for the sealed
	// packet after len(dst).
	ErrShortBuffer = errors.New("no room in the buffer for the sealed packet")
	// ErrIndexUsed is the error for an index that was sealed already, or may
	// have been.
	ErrIndexUsed = errors.New("SRTP index was used before")
	// ErrIndexUnknown is the error for a packet to reseal that was not sealed
	// lately.
	ErrIndexUnknown = errors.New("packet was not sealed lately")
	// ErrFirstSequence is the error for a stream that does not start below 2^15
	// (RFC 3711, section 3.3.1).
	ErrFirstSequence = errors.New("first sequence number of a stream has to be below 32768")
	// ErrKeyExhausted is the error for a key that has sealed as many packets as
	// it may (RFC 3711, section 9.2).
	ErrKeyExhausted = errors.New("key has sealed as many packets as it may")
)
