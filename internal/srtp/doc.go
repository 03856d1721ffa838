// Package srtp seals and opens SRTP and SRTCP packets (RFC 3711, RFC 7714) for
// a process with thousands of sessions.
//
// A [Sealer] holds the keys of one direction of a session, and a [Stream] one of
// its sources. Sealing and opening allocate nothing and write into the caller's
// memory. A stream refuses to seal two packets under one index, so no key and
// nonce is used twice; it can seal a recent packet again, bit for bit, for a
// retransmission. An [Opener] keeps the replay windows of the other direction.
// Prefetch methods ask for the memory that the next packet takes.
//
// Nothing here is safe for concurrent use: one goroutine at a time may use a
// sealer with its streams, or an opener. The package starts no goroutines. It
// imports internal/prefetch and nothing else of the project.
package srtp
