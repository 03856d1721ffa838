package lite

import "errors"

// The reasons for the end of a session, to be compared with errors.Is.
var (
	// ErrClosed says that the endpoint was closed by its owner.
	ErrClosed = errors.New("closed")
	// ErrPeerClosed says that the other side sent a DTLS alert that ends the
	// session.
	ErrPeerClosed = errors.New("closed by the other side")
	// ErrConsent says that no authenticated check came for too long (RFC 7675).
	ErrConsent = errors.New("no authenticated ICE check for too long")
	// ErrHandshake says that the DTLS handshake failed.
	ErrHandshake = errors.New("DTLS handshake failed")
	// ErrHandshakeTimeout says that the DTLS handshake took too long.
	ErrHandshakeTimeout = errors.New("DTLS handshake took too long")
	// ErrFingerprint says that the peer's certificate is not the one of its SDP.
	ErrFingerprint = errors.New("certificate does not match the fingerprint in the SDP")
	// ErrNoCheck says that no ICE check was answered, so that the server can't be
	// reached.
	ErrNoCheck = errors.New("no ICE check was answered")
	// ErrNotReady is the error for sending before the handshake has completed.
	ErrNotReady = errors.New("not connected yet")
)
