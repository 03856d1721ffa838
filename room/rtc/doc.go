// Package rtc is the WebRTC side of a room: mics and ears over one UDP port.
//
// An [Engine] owns the port, the certificate and everything else that a process
// has once. A [MediaRoom] is one room's media: its [Mic] sessions feed a
// fanout.Router, and its [Ear] sessions are fed by it. Both answer an SDP offer
// and then need no more calls: Done of a session is closed when it has ended, and
// Close ends it.
//
// A mic is a pion/webrtc PeerConnection. An ear is a lean endpoint (internal/lite)
// without a goroutine of its own.
//
// The way of a packet, from a mic's client to a listener's:
//
//  1. room/mediaport: a reader takes it from one of the port's sockets
//     (internal/udpbatch) and hands it to the lite.Server of the engine. That is
//     the only demultiplexer of the port: one table, by ICE user name fragment and
//     by address, of ears and of Pion's connections.
//  2. room/mediaport (mux.go): it goes into the queue of the net.PacketConn that is this mic's.
//     Pion authenticates and decrypts it.
//  3. mic.go: the mic reads it, measures its loudness if it has no level, and gives
//     it to the room's fanout.Publisher.
//  4. room/fanout: the router gives it a slot and queues it for each shard. A shard
//     calls Send of each of its ears.
//  5. leansend.go, outboundstream.go: the ear writes its own RTP header and seals the
//     packet (internal/srtp) into the shard's batch.
//  6. room/mediaport (batch.go): the batch leaves in one system call, by the socket of the shard
//     (internal/udpbatch).
//
// Between the two ends of the port no package is visited twice but this one, which is
// fanout's caller and its sink. Ears' checks, handshakes and reports end at step 1,
// in lite, whose replies leave by the same reader's socket.
//
// Sessions are ICE-lite (RFC 8445, section 2.5): they gather nothing, wait for
// nothing and answer checks, with a check of the server's own behind an answer
// while the client has nominated no pair. A session that has had no authenticated check for
// the consent timeout is closed (RFC 7675, seen from the lite side).
//
// Offers do not reach Pion as they came in. internal/sdp reads them ([ErrBadOffer]
// names what is wrong with one), a mic's section is described to Pion anew, and the
// answer is written for every section of the offer in its order: video, data and
// everything else is rejected.
//
// With [Config.ICETCP] there is a TCP port beside the UDP port (RFC 6544). Each of its
// connections has an address of its own (internal/icetcp), by which the demultiplexer
// knows it as it knows the others, and by which a batch gives its packets to the queue of
// the connection instead of the socket.
//
// It imports room/fanout, room/mediaport, internal/icetcp, internal/lite, internal/red,
// internal/srtp, internal/sdp and internal/prefetch of the project.
package rtc
