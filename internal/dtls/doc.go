// Package dtls is the handshake of DTLS 1.2 (RFC 6347) as WebRTC uses it, and what
// a connection needs after it: [Handshake] and [Session]. It does both roles.
//
// A handshake has no socket, no goroutine and no timer: datagrams come in through
// Handle, what is to be sent goes to a function, and the owner calls Timeout when
// Deadline has come.
//
// It does what WebRTC needs (RFC 8827, section 6.5) and nothing else: certificates
// on both sides, which the owner verifies by their fingerprint; ephemeral keys on
// P-256 (a client takes X25519, too); AES-128-GCM; the extended master secret
// (RFC 7627); use_srtp (RFC 5764). There is no resumption, and no renegotiation. A
// peer that has nothing in common with it is told so with an alert. It accepts the
// cookie of a HelloVerifyRequest, and sends none: ICE has proven the address.
//
// All of a peer's messages that are kept are bounded, whatever it sends.
//
// It imports nothing of the project.
package dtls
