// Package whip speaks WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep-04) over
// HTTP: one POST opens a session with an SDP offer and gets the answer, PATCH
// trickles ICE candidates into it, DELETE ends it.
//
// It implements the two documents and knows nothing of rooms or media: an
// [Endpoint], which it calls, decides who may open a session and makes the answer.
// docs/whip-whep.md lists each requirement of the two documents with its test, and
// the deviations with their reasons.
//
// Handlers return errors; [Handler] writes them in one place. The package starts no
// goroutines.
//
// Trickle ICE is supported, ICE restarts are not, and a WHEP offer is answered
// or refused but never countered with an offer of the server's own.
package whip
