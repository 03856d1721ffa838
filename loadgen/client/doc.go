// Package client has the WebRTC clients of a run: the [Crowd], thousands of lean
// listeners on a few shared sockets, and whole Pion peer connections made by a
// [PionFactory]: a [Probe] listens, a [Publisher] sends.
//
// A client knows nothing of signaling: it makes and takes SDP, and its owner carries
// it. Received packets go to a [ledger.Listener] or a [PacketFunc] with the time at
// which the kernel received them.
//
// The Crowd has one goroutine for its timers and one for each socket; a Pion client
// has Pion's. Close of each type ends its goroutines and waits. Receiving a packet
// of the crowd allocates nothing.
package client
