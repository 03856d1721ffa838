// Package sdp reads and writes session descriptions (RFC 8866) of audio
// sessions, and the trickle-ICE fragments that follow them (RFC 8840). It is
// the only place where the project interprets either.
//
//   - [Parse] reads any description into [Section] values.
//   - The server's side: [ReadOffer] decides what becomes of each section of a
//     client's offer, [Offer.Answer] writes the answer, and [Offer.Reduced] the
//     offer that a full WebRTC stack is given instead of the client's text.
//   - The side of a receive-only client: [Receiver] writes its offers and
//     answers, [ReadAnswer] and [ReadServerOffer] read those of a server.
//   - [ParseFragment], [ParseCandidate], [Credentials.Validate] and
//     [ParseFingerprint] hold the rules for what both sides exchange.
//
// The syntax of descriptions is left to pion/sdp. The package does no I/O,
// starts no goroutines and keeps no state. Its values are not safe for
// concurrent use while they change. Strings in them may share memory with the
// text that they were read from, unless a function says otherwise.
//
// It imports no other package of the project.
package sdp
