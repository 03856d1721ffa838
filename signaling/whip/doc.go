// Package whip speaks WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep-04) over
// HTTP: one POST opens a session with an SDP offer and gets the answer, PATCH
// trickles ICE candidates into it, DELETE ends it.
//
// It knows the two texts and nothing of rooms or media. What a session is, who
// may open one and what its answer says is the business of an [Endpoint], which
// this package calls. docs/whip-whep.md lists each requirement of the two texts
// with the test that holds it, and where and why this server departs from one.
//
// Trickle ICE is supported, ICE restarts are not, and a WHEP offer is answered
// or refused but never countered with an offer of the server's own.
package whip
