package lite

import "errors"

// What can go wrong, told apart with errors.Is.
var (
	// ErrClosed: the endpoint was closed by its owner.
	ErrClosed = errors.New("closed")
	// ErrPeerClosed: the other side sent a DTLS alert that ends the session.
	ErrPeerClosed = errors.New("closed by the other side")
	// ErrConsent: no authenticated check came for too long (RFC 7675).
	ErrConsent = errors.New("no authenticated ICE check for too long")
	// ErrHandshake: DTLS did not come about.
	ErrHandshake = errors.New("DTLS handshake failed")
	// ErrHandshakeTimeout: DTLS took too long.
	ErrHandshakeTimeout = errors.New("DTLS handshake took too long")
	// ErrFingerprint: the peer's certificate is not the one of its SDP.
	ErrFingerprint = errors.New("certificate does not match the fingerprint in the SDP")
	// ErrNoCheck: no ICE check was answered, so there is no way to the server.
	ErrNoCheck = errors.New("no ICE check was answered")
	// ErrNotReady: there are no keys yet.
	ErrNotReady = errors.New("not connected yet")

	// ErrMalformed: the bytes are not a packet of the kind asked for.
	ErrMalformed = errors.New("malformed packet")
	// ErrUnauthentic: the authentication tag is wrong.
	ErrUnauthentic = errors.New("packet is not authentic")
	// ErrReplayed: the packet was opened before, or is too old to tell.
	ErrReplayed = errors.New("packet replayed or too old")
	// ErrSources: the peer uses more SSRCs than are kept.
	ErrSources = errors.New("too many SSRCs")
	// ErrShortBuffer: the room after len(dst) does not hold the sealed packet.
	ErrShortBuffer = errors.New("no room in the buffer for the sealed packet")
	// ErrIndexUsed: the SRTP index was sealed already, or may have been.
	ErrIndexUsed = errors.New("SRTP index was used before")
	// ErrIndexUnknown: the packet to seal again was not sealed lately.
	ErrIndexUnknown = errors.New("packet was not sealed lately")
	// ErrFirstSequence: a stream has to start below 2^15 (RFC 3711 section 3.3.1).
	ErrFirstSequence = errors.New("first sequence number of a stream has to be below 32768")
	// ErrKeyWorn: the key has sealed as many packets as it may.
	ErrKeyWorn = errors.New("key has sealed as many packets as it may")
)
