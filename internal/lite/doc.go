// Package lite is a lean WebRTC endpoint for audio, from both sides: a server
// of thousands of receive-only peers, and thousands of clients in one process.
//
// It is made of ICE (RFC 8445; the server's side is ICE-lite), DTLS 1.2
// (pion/dtls, for the handshake only) and SRTP (RFC 3711, RFC 7714). What makes
// it lean: when the handshake is done its connection object and goroutines are
// let go without a word, and what remains of a peer is its keys, counters and
// addresses. No goroutine and no timer belongs to a peer from then on.
//
// The package owns no sockets. Datagrams come in through Handle with the
// address that they came from and the time of their arrival, and go out through
// a Sender. Media is sealed into the caller's memory.
package lite
