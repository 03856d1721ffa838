// Package lite is a lean WebRTC endpoint for audio, for both sides: a [Server]
// of thousands of receive-only peers, and a [ClientGroup] of thousands of clients
// in one process.
//
// It is made of ICE (RFC 8445; the server is ICE-lite, with checks of its own that
// prove an address or make a client nominate), DTLS 1.2 (internal/dtls) and SRTP
// (internal/srtp). What makes it lean: when the handshake has completed, its
// goroutine ends. What remains of a peer is its keys, counters and addresses. From
// then on no goroutine and no timer belongs to a peer.
//
// The package owns no sockets and has no clock. Datagrams come in through Handle
// with their source address and the time of their arrival, and leave through a
// [Sender]. The owner calls Tick. Handshakes run in goroutines of their own;
// Close of the server or the group ends them and waits.
//
// It imports internal/dtls, internal/sdp (credentials, fingerprints), internal/srtp
// and internal/prefetch, and nothing else of the project.
package lite
