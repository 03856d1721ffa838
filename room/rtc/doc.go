// Package rtc is the WebRTC side of a room: mics and ears over one UDP port.
//
// An [Engine] owns the port, the certificate and everything else that a process
// has once. A [MediaRoom] is one room's media: its [Mic] sessions feed a
// fanout.Router, and its [Ear] sessions are fed by it. Both answer an SDP offer
// and are then on their own: the caller learns from Done when a session has
// ended, and ends one with Close.
//
// A mic is a pion/webrtc PeerConnection. An ear is a lean endpoint (internal/lite)
// with no goroutine of its own: its packets are sealed by the shard of the hall
// that it belongs to and leave in batches, by a socket that the shard has to
// itself. All are on the one port; see routes for who gets what comes in.
//
// Sessions are ICE-lite (RFC 8445 section 2.5): they gather nothing, wait for
// nothing and answer checks. A session that has had no authenticated check for
// the consent timeout is closed (RFC 7675, seen from the lite side).
//
// Offers never reach Pion as they came in. They are read ([ErrBadOffer] says
// what is wrong with one), a mic's section is described to Pion anew, and the
// answer is written for every section of the offer in its
// order: video, data and whatever else there is are rejected.
package rtc
